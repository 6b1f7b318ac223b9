# PostgreSQL that begins as its own user: a volume takes over the owner of the folder that it is mounted on.
FROM postgres:18.6
RUN install -d -o postgres -g postgres -m 0700 /log
USER postgres
