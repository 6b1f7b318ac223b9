#!/bin/sh
# sh docker/secrets.sh [FOLDER]: make the files with secrets that docker-compose.yml reads; one that is there stays.
# What .env holds of earlier versions is taken from it; the rest is drawn at random. The folder is yours alone (0700); its
# files are readable (0444), because each container mounts its own as a user of its own.
set -eu
folder=${1:-${TELEDER_SECRETS:-secrets}}
umask 077
mkdir -p "$folder"
chmod 0700 "$folder"

of_before() {
    [ ! -f .env ] || sed -n "s/^$1=//p" .env | tail -n 1
}

hex() {
    head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

# put FILE VARIABLE VALUE: the variable is that of earlier versions.
put() {
    [ -e "$folder/$1" ] && return
    before=$(of_before "$2")
    printf %s "${before:-$3}" > "$folder/$1.new"
    chmod 0444 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
    if [ -n "$before" ]; then echo "$1: taken from .env; remove $2 there"
    elif [ -n "$3" ]; then echo "$1: drawn"
    else echo "$1: empty; write it if you need it"
    fi
}

put secret_key TELEDER_SECRET_KEY "$(hex 32)"
put secret_key_fallbacks TELEDER_SECRET_KEY_FALLBACKS ""
put photo_keys TELEDER_PHOTO_KEYS "$(head -c 32 /dev/urandom | base64)"
put postgres_password POSTGRES_PASSWORD "$(hex 24)"
put database_password DATABASE_PASSWORD "$(hex 24)"
put jobs_password JOBS_PASSWORD "$(hex 24)"
for role in web sweeper beat results worker; do
    put "valkey_${role}_password" "VALKEY_$(echo "$role" | tr a-z A-Z)_PASSWORD" "$(hex 24)"
done
# Of services elsewhere: they stay empty until you write them.
put email_password TELEDER_EMAIL_PASSWORD ""
put metrics_token TELEDER_METRICS_TOKEN ""
put on_call_webhook_secret TELEDER_ON_CALL_WEBHOOK_SECRET ""
put s3_access_key TELEDER_S3_ACCESS_KEY ""
put s3_secret_key TELEDER_S3_SECRET_KEY ""
echo "Keep a copy of $folder/photo_keys apart from the backups: without it no photo can be read again."
