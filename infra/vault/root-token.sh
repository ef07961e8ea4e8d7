# Sourced by other scripts: sets VAULT_TOKEN to a root token, created with the unseal key (HashiCorp, "generate root
# tokens using unseal keys"). `$operator` is the folder of the key. The caller must revoke it:  vault token revoke -self
if VAULT_TOKEN=$(cat "$operator/root.token" 2>/dev/null) && VAULT_TOKEN=$VAULT_TOKEN vault token lookup >/dev/null 2>&1; then
    : # the first root token; an interrupted run may have left one that is revoked already
else
    vault operator generate-root -cancel >/dev/null 2>&1 || true
    otp=$(vault operator generate-root -generate-otp)
    nonce=$(vault operator generate-root -init -otp="$otp" | sed -n 's/^Nonce *//p')
    encoded=$(vault operator generate-root -nonce="$nonce" - <"$operator/unseal.key" | sed -n 's/^Encoded Token *//p')
    VAULT_TOKEN=$(vault operator generate-root -decode="$encoded" -otp="$otp")
fi
export VAULT_TOKEN
