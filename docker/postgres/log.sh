#!/bin/sh
# PostgreSQL's log of all changes, kept in $TELEDER_LOG apart from the database, and what goes back to a moment by it.
#   keep PATH NAME   keep a segment of the log (archive_command)
#   fetch NAME PATH  give it back (restore_command)
#   copy             copy the whole database; what is older than the copy before that is removed, with its log
#   copies           do so every $TELEDER_COPY_EVERY_HOURS, for ever
#   restore TIME     put the newest copy from before a time in the place of $PGDATA; PostgreSQL replays the log up to it
set -eu
log=${TELEDER_LOG:-/log}

fail() {
    echo "$*" >&2
    exit 1
}

keep() {
    # PostgreSQL asks again if it did not hear our answer. The same is fine, anything else is another database's log.
    if [ -e "$log/$2.gz" ]; then
        gzip -dc "$log/$2.gz" | cmp -s - "$1" || fail "$2 is there already with other content: $log is of another database"
        return
    fi
    gzip -c "$1" > "$log/$2.part"
    sync "$log/$2.part"
    mv "$log/$2.part" "$log/$2.gz"
    sync "$log"
}

fetch() {
    [ -e "$log/$1.gz" ] || exit 1 # it looks for segments that are not there yet, too
    gzip -dc "$log/$1.gz" > "$2"
}

copies_there() {
    find "$log" -maxdepth 1 -type d -name 'base-*Z' | sort
}

copy() {
    [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    export PGPASSWORD
    rm -rf "$log"/base-*.part
    pg_basebackup --pgdata="$log/base-new.part" --format=tar --gzip --wal-method=none --checkpoint=fast --no-password
    sync
    mv "$log/base-new.part" "$log/base-$(date -u +%Y%m%dT%H%M%SZ)"
    copies_there | head -n -2 | while read -r old; do rm -r "$old"; done
    oldest=$(copies_there | head -n 1)
    first=$(tar -xzOf "$oldest/base.tar.gz" backup_label | sed -n 's/^START WAL LOCATION: .*(file \(.*\))$/\1/p')
    pg_archivecleanup -x .gz "$log" "$first"
    echo "copied; the log goes back to $(basename "$oldest")"
}

copies() {
    touch /tmp/teleder-copies
    while true; do
        newest=$(copies_there | tail -n 1)
        due=$((${TELEDER_COPY_EVERY_HOURS:-168} * 60))
        if [ -z "$newest" ] || [ -z "$(find "$newest" -maxdepth 0 -mmin "-$due")" ]; then
            if copy; then touch /tmp/teleder-copies; else echo "no copy could be made; trying again in 15 minutes" >&2; fi
            sleep 900
        else
            touch /tmp/teleder-copies
            sleep 300
        fi
    done
}

restore() {
    name=base-$(date -u -d "$1" +%Y%m%dT%H%M%SZ)
    # In the order of their names, which is that of their times.
    base=$(copies_there | while read -r one; do
        if expr "$(basename "$one")" '<' "$name" > /dev/null; then echo "$one"; fi
    done | tail -n 1)
    [ -n "$base" ] || fail "no copy in $log is older than $1"
    [ ! -e "$PGDATA/postmaster.pid" ] || fail "stop PostgreSQL first ($PGDATA/postmaster.pid is there)"
    before=$PGDATA-before-$(date -u +%Y%m%dT%H%M%SZ)
    [ ! -e "$PGDATA" ] || mv "$PGDATA" "$before"
    mkdir -p -m 0700 "$PGDATA"
    tar -xzf "$base/base.tar.gz" --no-same-owner -C "$PGDATA"
    # What was not kept yet when PostgreSQL stopped.
    for segment in "$before"/pg_wal/????????????????????????; do
        if [ -f "$segment" ] && [ ! -e "$log/$(basename "$segment").gz" ]; then cp "$segment" "$PGDATA/pg_wal/"; fi
    done
    cat >> "$PGDATA/postgresql.auto.conf" << END
restore_command = 'sh $0 fetch %f %p'
recovery_target_time = '$(date -u -d "$1" '+%Y-%m-%d %H:%M:%S')+00'
recovery_target_action = 'promote'
END
    touch "$PGDATA/recovery.signal"
    echo "from $(basename "$base"); start PostgreSQL, which replays the log up to $1. The former data is in $before"
}

case ${1:-} in
keep | fetch | copy | copies | restore) "$@" ;;
*) sed -n 's/^#   //p' "$0" >&2 && exit 2 ;;
esac
