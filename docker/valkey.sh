#!/bin/sh
# Start Valkey with the roles of valkey.conf. Passwords come by the environment; their hashes go in by standard input,
# so that no file and no command line holds either.
set -eu
configuration=$(grep -v '^#' "$(dirname "$0")/valkey.conf")
for role in web sweeper beat results worker; do
    variable=VALKEY_$(echo "$role" | tr a-z A-Z)_PASSWORD
    eval "password=\${$variable:?is not set}"
    hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
    configuration=$(printf '%s\n' "$configuration" | sed "s/#<$role>/#$hash/")
    unset "$variable" password
done
exec valkey-server - <<END
$configuration
END
