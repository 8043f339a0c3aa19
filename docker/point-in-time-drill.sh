#!/bin/sh
# Brings a base backup and the archived log of PostgreSQL back to one moment, on a server of its own that nobody else
# reaches, says what the last act on record is by then, and removes it all again. Nothing that is given is changed.
#
#   point-in-time-drill.sh BASE ARCHIVE MOMENT
#
#   BASE     folder that pg_basebackup wrote
#   ARCHIVE  folder that archive_command fills
#   MOMENT   such as "2026-11-24 07:41:00+08"
#
# PostgreSQL's programs (pg_ctl, psql) are looked for on the PATH; DATABASE names the database, takehome otherwise.
# With KEEP=folder the server's files are left there, to be started again and read.
set -eu

if [ $# -ne 3 ]; then
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
base=$1 archive=$2 moment=$3
for folder in "$base" "$archive"; do
    [ -d "$folder" ] || { echo "$folder is no folder." >&2; exit 2; }
done
[ -f "$base/PG_VERSION" ] || { echo "$base is no base backup: there is no PG_VERSION in it." >&2; exit 2; }
archive=$(cd "$archive" && pwd)

place=${KEEP:-$(mktemp -d)}
data=$place/data
stop() {
    pg_ctl --pgdata="$data" --mode=fast --silent stop >/dev/null 2>&1 || true
    [ -n "${KEEP:-}" ] || rm -rf "$place"
}
trap stop EXIT
trap 'exit 1' INT TERM

[ ! -e "$data" ] || { echo "$data is there already. Name another folder." >&2; trap - EXIT; exit 2; }
mkdir -p "$place"
cp -R "$base" "$data"
chmod 0700 "$data"
cat >>"$data/postgresql.auto.conf" <<END
restore_command = 'cp "$archive/%f" "%p"'
recovery_target_time = '$moment'
recovery_target_action = 'promote'
archive_mode = off
hot_standby = off
listen_addresses = ''
unix_socket_directories = '$place'
END
touch "$data/recovery.signal"

ask() { psql --host="$place" --dbname="${DATABASE:-takehome}" --no-psqlrc --tuples-only --no-align --command="$1"; }
fail() {
    echo "It does not come back to $moment. PostgreSQL says:" >&2
    grep -E 'FATAL|PANIC' "$place/log" | tail -n 3 >&2
    exit 1
}

began=$(date +%s)
pg_ctl --pgdata="$data" --log="$place/log" --timeout=3600 --wait --silent start || fail
until [ "$(ask 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]; do
    pg_ctl --pgdata="$data" status >/dev/null || fail
    sleep 0.2
done
ended=$(date +%s)

echo "Came back to $moment in $((ended - began)) s."
echo "Last act on record: $(ask "SELECT coalesce(max(at)::text, 'none') FROM audit_entry")"
echo "Entries of the audit trail: $(ask 'SELECT count(*) FROM audit_entry')"
echo "Doses on record: $(ask 'SELECT count(*) FROM dose')"
