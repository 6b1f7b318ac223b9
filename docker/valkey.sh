#!/bin/sh
# Start Valkey with the roles of valkey.conf. Passwords come by the environment, or by files that it names (…_FILE); their
# hashes go in by standard input, so that no configuration file and no command line holds either.
set -eu
configuration=$(grep -v '^#' "$(dirname "$0")/valkey.conf")
for role in web sweeper beat results worker; do
    variable=VALKEY_$(echo "$role" | tr a-z A-Z)_PASSWORD
    eval "password=\${$variable:-} file=\${${variable}_FILE:-}"
    [ -z "$file" ] || password=$(cat "$file")
    [ -n "$password" ] || { echo "$variable is not set" >&2 && exit 1; }
    hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
    configuration=$(printf '%s\n' "$configuration" | sed "s/#<$role>/#$hash/")
    unset "$variable" password
done
exec valkey-server - <<END
$configuration
END
