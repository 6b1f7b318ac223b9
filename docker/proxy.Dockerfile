# Caddy as a user without rights: a volume takes over the owner of the folder that it is mounted on.
FROM caddy:2.11.7
RUN install -d -o 10001 -g 10001 -m 0700 /certificates
USER 10001:10001
ENV XDG_DATA_HOME=/certificates XDG_CONFIG_HOME=/tmp
