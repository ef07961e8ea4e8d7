#!/bin/sh
# Prepares a Vault for regcred: mount, policies, AppRoles. It is safe to repeat.
#   VAULT_ADDR=… VAULT_TOKEN=… bootstrap.sh DIRECTORY [ROLE...]
# writes DIRECTORY/<role>.role-id and DIRECTORY/<role>.secret-id (0600) for each role (default: all roles). Every run
# creates a new secret id. Earlier ones stay valid until they expire.
#   WRAP_TTL=120s        write <role>.wrapped instead of the secret id: a token that unwraps it once
#   SECRET_ID_TTL=720h   validity of a secret id; 0: until it is destroyed
set -eu
out=$1
shift
[ $# -gt 0 ] || set -- credentials verifier relay one-machine
here=$(cd "$(dirname "$0")" && pwd)
umask 077
mkdir -p "$out"

if ! vault secrets list -format=json | grep -q '"regcred/"'; then
    vault secrets enable -path=regcred -version=2 kv >/dev/null
fi
# Vault refuses writes without check-and-set. With the default of 10 versions, orphans of failed commands could displace
# the version that the log refers to. A new mount refuses requests for a moment while it upgrades.
tries=0
until vault write regcred/config cas_required=true max_versions=100 >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || { echo "the mount regcred does not become ready" >&2; exit 1; }
    sleep 0.1
done

if ! vault auth list -format=json | grep -q '"approle/"'; then
    vault auth enable approle >/dev/null
fi
for policy in credentials verifier housekeeping; do
    vault policy write "regcred-$policy" "$here/policies/regcred-$policy.hcl" >/dev/null
done

# One role per service; `one-machine` is for `regcred up`, whose processes share one identity.
policies() {
    case $1 in
    credentials) echo regcred-credentials ;;
    verifier) echo regcred-verifier ;;
    relay) echo regcred-housekeeping ;;
    one-machine) echo regcred-credentials,regcred-verifier,regcred-housekeeping ;;
    *) echo "there is no role $1" >&2; exit 1 ;;
    esac
}
for role; do
    vault write "auth/approle/role/regcred-$role" token_policies="$(policies "$role")" token_type=service \
        token_ttl=20m token_max_ttl=24h secret_id_ttl="${SECRET_ID_TTL:-720h}" secret_id_num_uses=0 >/dev/null
    vault read -field=role_id "auth/approle/role/regcred-$role/role-id" >"$out/$role.role-id"
    if [ -n "${WRAP_TTL:-}" ]; then
        vault write -f -wrap-ttl="$WRAP_TTL" -field=wrapping_token "auth/approle/role/regcred-$role/secret-id" >"$out/$role.wrapped"
    else
        vault write -f -field=secret_id "auth/approle/role/regcred-$role/secret-id" >"$out/$role.secret-id"
    fi
done
