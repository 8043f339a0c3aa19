#!/bin/sh
# A standby of the database: a second PostgreSQL that has every act before it is acknowledged, and can take over.
#
#   standby.sh make NAME PRIMARY DATA    on the standby's machine: copies the primary into DATA, to be followed from there
#   standby.sh wait NAME PRIMARY         from now on an act counts once the standby has it on its disk as well
#   standby.sh alone PRIMARY             the standby is gone for long: the primary counts acts by itself again
#   standby.sh look PRIMARY              who follows, how closely, and whether acts wait for it
#   standby.sh promote DATA              on the standby's machine, when the primary is gone: the standby takes over
#
#   NAME     of the standby, small letters and _, such as standby_1
#   PRIMARY  how PostgreSQL's programs reach the primary, such as "host=db1 user=postgres"
#   DATA     the standby's data folder
#
# PostgreSQL's programs (pg_basebackup, pg_ctl, psql, pg_isready) are looked for on the PATH.
set -eu

usage() { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mistake() { echo "$1" >&2; exit 2; }
ask() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$1 dbname=postgres" --command="$2"; }
named() { case $1 in '' | *[!a-z0-9_]*) mistake "“$1” is no name of a standby: small letters, digits and _." ;; esac; }

make() {
    name=$1 primary=$2 data=$3
    named "$name"
    [ ! -e "$data" ] || [ -z "$(ls -A "$data")" ] || mistake "$data is not empty. Name another folder."
    slot=--create-slot
    if [ "$(ask "$primary" "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '$name'")" = 1 ]; then
        slot=  # of an earlier standby of this name, which the primary has kept its log for
    fi
    pg_basebackup --dbname="$primary application_name=$name" --pgdata="$data" --checkpoint=fast --wal-method=stream \
        --write-recovery-conf --slot="$name" $slot
    # What the primary waits for, the standby must not wait for once it is the primary: nobody follows it yet.
    echo "synchronous_standby_names = ''" >>"$data/postgresql.auto.conf"
    # A long look here (verify, pg_dump) is not cut off when the primary clears away rows that it still reads.
    echo "hot_standby_feedback = on" >>"$data/postgresql.auto.conf"
    echo "Made. Start PostgreSQL on $data, then: standby.sh wait $name \"$primary\""
}

wait_for() {
    name=$1 primary=$2
    named "$name"
    follows=$(ask "$primary" "SELECT count(*) FROM pg_stat_replication WHERE application_name = '$name' AND state = 'streaming'")
    [ "$follows" -ge 1 ] || mistake "$name does not follow: nothing would count until it does. Start it first."
    [ "$(ask "$primary" "SHOW synchronous_commit")" = on ] || mistake "synchronous_commit is not on at the primary."
    ask "$primary" "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 ($name)'"
    ask "$primary" "SELECT pg_reload_conf()" >/dev/null
    echo "From now on an act counts once $name has it on its disk."
}

alone() {
    ask "$1" "ALTER SYSTEM SET synchronous_standby_names = ''"
    ask "$1" "SELECT pg_reload_conf()" >/dev/null
    echo "The primary counts acts by itself. What it alone has is lost with it: make a standby."
}

look() {
    psql --no-psqlrc --dbname="$1 dbname=postgres" --command="
        SELECT application_name AS standby, state, sync_state,
            pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn)) AS not_on_its_disk, replay_lag
        FROM pg_stat_replication" --command="
        SELECT slot_name, active, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) AS log_kept,
            wal_status FROM pg_replication_slots WHERE slot_type = 'physical'" --command="
        SELECT current_setting('synchronous_standby_names') AS acts_wait_for"
}

promote() {
    data=$1
    [ -f "$data/standby.signal" ] || mistake "$data is no standby: there is no standby.signal in it."
    primary=$(sed -n "s/^primary_conninfo = '\(.*\)'$/\1/p" "$data/postgresql.auto.conf" | tail -n 1 | sed "s/''/'/g")
    if [ "${PRIMARY_IS_OFF:-}" != yes ] && pg_isready --quiet --timeout=5 --dbname="$primary"; then
        mistake "The primary still answers. Stop it, so that no two servers take doses, and try again."
    fi
    pg_ctl --pgdata="$data" --wait --timeout="${PATIENCE:-600}" --silent promote
    echo "The standby is the primary now. Keep the old one off; make a standby of this one anew."
}

verb=${1:-} && [ $# -gt 0 ] && shift
case $verb:$# in
make:3) make "$@" ;;
wait:2) wait_for "$@" ;;
alone:1) alone "$@" ;;
look:1) look "$@" ;;
promote:1) promote "$@" ;;
*) usage ;;
esac
