#!/bin/sh
# Prepares the Vault of docker-compose.yml at each start: audit devices, mount, policies, AppRoles, and a wrapped secret
# id for each service without one (for all services with ROTATE=1).
# It creates a root token for itself and revokes it at the end.
set -eu
umask 077
operator=/operator
handover=/handover
services="credentials verifier relay"

if [ ! -s "$operator/unseal.key" ]; then
    echo "there is no unseal key in the volume operator: Vault is not changed" >&2
    exit 0
fi

. "$(dirname "$0")/root-token.sh"

# Two devices: with one that cannot write, Vault refuses every request.
devices=$(vault audit list 2>/dev/null || true)
case $devices in *regcred-file/*) ;; *) vault audit enable -path=regcred-file file file_path=/vault/audit/audit.log >/dev/null ;; esac
case $devices in *regcred-stdout/*) ;; *) vault audit enable -path=regcred-stdout file file_path=stdout >/dev/null ;; esac

# A new version may have other policies.
for policy in credentials verifier housekeeping; do
    vault policy write "regcred-$policy" "$(dirname "$0")/policies/regcred-$policy.hcl" >/dev/null
done

for service in $services; do
    folder=$handover/$service-secrets/vault
    if [ -e "$folder/$service.secret-id" ] && [ -z "${ROTATE:-}" ]; then
        continue
    fi
    WRAP_TTL=10m SECRET_ID_TTL=0 sh "$(dirname "$0")/bootstrap.sh" "$folder" "$service"
    chmod 0640 "$folder/$service.role-id"
    chmod 0660 "$folder/$service.wrapped" # the group of the service reads and removes it
    echo "created a wrapped secret id for $service"
done

vault token revoke -self >/dev/null
rm -f "$operator/root.token"
