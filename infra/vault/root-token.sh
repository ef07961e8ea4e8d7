# Sourced: a root token for a few lines, made with the unseal key (HashiCorp's way: "generate root tokens using unseal
# keys"), in VAULT_TOKEN. `$operator` is the folder of the key. Whoever takes one revokes it:  vault token revoke -self
if [ -s "$operator/root.token" ]; then
    VAULT_TOKEN=$(cat "$operator/root.token")
else
    vault operator generate-root -cancel >/dev/null 2>&1 || true
    otp=$(vault operator generate-root -generate-otp)
    nonce=$(vault operator generate-root -init -otp="$otp" | sed -n 's/^Nonce *//p')
    encoded=$(vault operator generate-root -nonce="$nonce" - <"$operator/unseal.key" | sed -n 's/^Encoded Token *//p')
    VAULT_TOKEN=$(vault operator generate-root -decode="$encoded" -otp="$otp")
fi
export VAULT_TOKEN
