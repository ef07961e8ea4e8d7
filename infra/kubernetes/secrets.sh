#!/bin/sh
# Prints the Secrets of the manifests, from the files of a folder that the first run creates:
#   secrets.sh FOLDER [NAME...] | kubectl apply --server-side -f -
# NAMEs are the host names of the gateway. FOLDER contains every password, the key file and the key of the certificate
# authority: store it separately from the cluster, and encrypted. A second run only renews certificates that expire soon.
#
# FOLDER/roles is optional, with role ids and secret ids in the form of infra/vault/bootstrap.sh.
# It needs root (to set owners of files), kubectl, and Python with regcred: that of `make setup`, or PYTHON.
set -eu
umask 077
if [ $# = 0 ]; then
    echo "usage: secrets.sh FOLDER [NAME...] | kubectl apply --server-side -f -" >&2
    exit 2
fi
folder=$1
shift
kubectl=${KUBECTL:-kubectl}
python=${PYTHON:-$(dirname "$0")/../../.venv/bin/python}
if ! "$python" -c 'import launcher.deployment, chassis.authentication.tokens' 2>/dev/null; then
    echo "secrets.sh: $python does not have regcred: run \`make setup\` first, or set PYTHON" >&2
    exit 1
fi

"$python" -m launcher.deployment "$folder" "$@"

# The tokens are created here. `migrate` stores their hashes in the database.
for token in admin metrics; do
    file=$folder/tokens/$token.token
    if [ ! -s "$file" ]; then
        "$python" -c 'from secrets import token_bytes
from chassis.authentication.tokens import compose
print(compose(token_bytes(38))[1].reveal(), end="")' >"$file.draft"
        mv "$file.draft" "$file"
    fi
done

# secret NAME TYPE FILE...: FILE may be key=path.
secret() {
    name=$1 type=$2
    shift 2
    for file; do
        set -- "$@" "--from-file=$file"
        shift
    done
    echo "---"
    "$kubectl" create secret generic "$name" --namespace regcred --type "$type" --dry-run=client --output yaml "$@"
}

printf %s regcred-owner >"$folder/setup/owner.name"
secret postgres-owner kubernetes.io/basic-auth username="$folder/setup/owner.name" password="$folder/setup/regcred-owner.password"
for server in rabbitmq vault; do
    secret "$server-tls" kubernetes.io/tls "$folder/$server/tls.crt" "$folder/$server/tls.key" "$folder/$server/ca.crt"
done
secret gateway Opaque "$folder/gateway/gateway.pem"
for password in "$folder"/setup/broker.*.password; do
    user=${password##*/broker.}
    user=${user%.password}
    printf %s "$user" >"$folder/setup/$user.name"
    secret "broker-$user" Opaque username="$folder/setup/$user.name" password="$password"
done
for service in migrate relay verifier projector; do
    secret "$service" Opaque "$folder/$service/pgpass" "$folder/$service/ca.crt" "$folder/$service/broker.url"
done
for service in credentials queries; do
    secret "$service" Opaque "$folder/$service/pgpass" "$folder/$service/ca.crt"
done
secret logins Opaque "$folder"/migrate/logins/*.password
secret keys Opaque "$folder/keys/keys.json"
secret tokens Opaque "$folder/tokens/admin.token" "$folder/tokens/metrics.token"
if [ -d "$folder/roles" ]; then
    for role in credentials relay verifier; do
        secret "$role-vault" Opaque role-id="$folder/roles/$role.role-id" secret-id="$folder/roles/$role.secret-id"
    done
fi
