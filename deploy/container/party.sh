#!/bin/sh
# party ROLE: a member of a fleet that starts by itself, for test fleets in containers. ROLE is authority, coordinator or node.
#
#   STATE    folder of keys and records; it must outlive the container        default /var/lib/freshet/state
#   TOKENS   folder where the authority leaves join tokens for the others     default /var/lib/freshet/tokens
#   AUTHORITY_AT, COORDINATOR_AT    where the others reach the two            default tcp://authority:7500, tcp://coordinator:7400
#   NODES    tokens for nodes that the authority makes                        default 4
#   DATA, MODEL                     of a node                                 default /srv/freshet/data, /usr/share/freshet/models/edge-slm
#   PASSPHRASE_FILE                 of the authority's root key               default /run/secrets/passphrase
#
# Tokens in a shared folder suit a test. In a fleet, each goes to its machine by hand: docs/quickstart.md, 9.
set -eu

role=${1:-}
state=${STATE:-/var/lib/freshet/state}
tokens=${TOKENS:-/var/lib/freshet/tokens}
authority_at=${AUTHORITY_AT:-tcp://authority:7500}
coordinator_at=${COORDINATOR_AT:-tcp://coordinator:7400}

say() { echo "party: $*" >&2; }

# Prints the file of a token and takes it from the others: a rename is one party's.
take_token() {
  until [ -e "$tokens/ready" ]; do
    say "waiting for tokens in $tokens"
    sleep 2
  done
  for token in "$tokens/$1"-*."$(hostname)" "$tokens/$1"-*.token; do
    mine="${token%.*}.$(hostname)"
    if [ "$token" = "$mine" ] && [ -e "$mine" ] || mv "$token" "$mine" 2>/dev/null; then
      echo "$mine"
      return
    fi
  done
  say "no token left in $tokens for a $1: make more with NODES, or 'freshet authority invite'"
  exit 4
}

# The token is kept until the certificate is there: a join that was cut off goes on with the same one.
join() {
  mkdir -p -m 0700 "$state"
  if [ -e "$state/joined" ]; then
    return
  fi
  if [ ! -e "$state/token" ]; then
    token=$(take_token "$1") || exit $?
    cp "$token" "$state/token.new" && mv "$state/token.new" "$state/token" && rm -f "$token"
  fi
  freshet "$1" join - --dir "$state" <"$state/token"
  : >"$state/joined"
  rm -f "$state/token"
}

case $role in
  authority)
    mkdir -p -m 0700 "$state" "$tokens"
    if [ ! -e "$state/invited" ]; then
      [ -e "$state/root.key" ] ||
        freshet authority init --dir "$state" --passphrase-file "${PASSPHRASE_FILE:-/run/secrets/passphrase}" \
          --at "$authority_at" --coordinator-at "$coordinator_at"
      invite() { freshet authority invite --dir "$state" "$@"; }
      (umask 077 && invite --coordinator --name coordinator >"$tokens/coordinator-1.token")
      number=1
      while [ "$number" -le "${NODES:-4}" ]; do
        (umask 077 && invite --name "node-$number" >"$tokens/node-$number.token")
        number=$((number + 1))
      done
      : >"$tokens/ready"
      : >"$state/invited"
    fi
    exec freshet authority serve --dir "$state" --listen "${LISTEN:-tcp://0.0.0.0:7500}"
    ;;
  coordinator)
    join coordinator
    exec freshet coordinator run --dir "$state" --listen "${LISTEN:-tcp://0.0.0.0:7400}"
    ;;
  node)
    join node
    exec freshet node run --dir "$state" --data "${DATA:-/srv/freshet/data}" --model "${MODEL:-/usr/share/freshet/models/edge-slm}"
    ;;
  *)
    say "usage: party authority | coordinator | node"
    exit 2
    ;;
esac
