#!/bin/sh
# Makes keys/, certificates/openssl-* and timestamps/openssl-* again, with OpenSSL 3.0 or later.
# Private keys stay in the scratch directory and are thrown away. Keys, signatures and times differ
# at every run; the tests depend on none of them.
set -eu
data=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# --- keys/: one public key of each kind we take, and of kinds we refuse.
public() { openssl pkey -in "$1.key" -pubout -out "$data/keys/$1.pem"; }
ec() { openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$1" -out "$2.key"; }
ec prime256v1 p256; ec secp384r1 p384; ec secp521r1 p521; ec secp256k1 secp256k1
for bits in 1024 2048 3072; do
  openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$bits" -out "rsa$bits.key"
done
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out rsa-pss.key
openssl genpkey -algorithm ED25519 -out ed25519.key
openssl genpkey -algorithm X25519 -out x25519.key
for key in p256 p384 p521 secp256k1 rsa1024 rsa2048 rsa3072 rsa-pss ed25519 x25519; do
  public "$key"
done
openssl ec -in p256.key -pubout -conv_form compressed -out "$data/keys/p256-compressed.pem"
openssl ec -in p256.key -pubout -param_enc explicit -out "$data/keys/p256-explicit.pem"

# --- certificates/: one certificate three ways with equal serial, dates and key: without CT
# extensions, as a precertificate (poison), and with an SCT list. The SCT is not genuine: version 0,
# log id of 32 times 07, time 1, no extensions, SHA-256 with ECDSA, signature 30 00.
log_id=$(printf '07%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 \
  29 30 31 32)
sct_list="043500330031""00${log_id}0000000000000001""0000""0403""00023000"
issuer=$(printf 'https://issuer.example' | od -An -v -tx1 | tr -d ' \n')
cat > ca.cnf <<CNF
[ca]
default_ca = here
[here]
new_certs_dir = .
database = index
serial = serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = optional
CNF
cat > plain.ext <<CNF
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = critical, email:signer@example.com
1.3.6.1.4.1.57264.1.1 = DER:$issuer
1.3.6.1.4.1.57264.1.8 = ASN1:UTF8String:https://issuer.example
CNF
{ cat plain.ext; echo '1.3.6.1.4.1.11129.2.4.3 = critical, DER:0500'; } > precert.ext
{ cat plain.ext; echo "1.3.6.1.4.1.11129.2.4.2 = DER:$sct_list"; } > final.ext
ec prime256v1 root
openssl req -x509 -new -key root.key -subj '/O=Test/CN=Test root' -days 3650 \
  -addext 'keyUsage=critical,keyCertSign,cRLSign' -out "$data/certificates/openssl-root.pem"
openssl req -new -key p256.key -subj / -out leaf.csr
for shape in plain precert final; do
  : > index
  echo 1F2E3D4C > serial
  openssl ca -batch -config ca.cnf -cert "$data/certificates/openssl-root.pem" -keyfile root.key \
    -in leaf.csr -startdate 20260101000000Z -enddate 20260101001000Z -extfile "$shape.ext" \
    -notext -out "$data/certificates/openssl-$shape.pem"
done
openssl req -x509 -new -key rsa2048.key -subj '/CN=RSA' -days 3650 \
  -out "$data/certificates/openssl-rsa.pem"
openssl req -x509 -new -key ed25519.key -subj '/CN=Ed25519' -days 3650 \
  -out "$data/certificates/openssl-ed25519.pem"
openssl req -x509 -new -key p384.key -sha384 -subj '/CN=P-384' -days 20000 \
  -out "$data/certificates/openssl-p384.pem"
openssl req -x509 -new -key rsa2048.key -sha1 -subj '/CN=SHA-1' -days 3650 \
  -out "$data/certificates/openssl-sha1.pem"

# --- timestamps/: requests, tokens and a refusal of OpenSSL's own authority.
cat > ts.cnf <<CNF
[tsa]
serial = tsserial
default_policy = 1.3.6.1.4.1.57264.2
other_policies = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500, microsecs:100
ordering = yes
tsa_name = yes
[whole]
serial = tsserial
default_policy = 1.3.6.1.4.1.57264.2
digests = sha256, sha384, sha512
ess_cert_id_chain = no
CNF
for kind in rsa2048 p256; do
  openssl req -x509 -new -key "$kind.key" -subj "/O=Test/CN=TSA $kind" -days 3650 \
    -addext 'extendedKeyUsage=critical,timeStamping' -addext 'basicConstraints=critical,CA:FALSE' \
    -addext 'keyUsage=critical,digitalSignature' -out "$kind.pem"
done
echo 0A > tsserial
printf 'timestamped\n' > "$data/timestamps/openssl-signed.bin"
query() { name=$1; shift
  openssl ts -query -data "$data/timestamps/openssl-signed.bin" "$@" \
    -out "$data/timestamps/openssl-request-$name.der"; }
query plain -sha256 -no_nonce
query full -sha512 -cert -tspolicy 1.2.3.4.1
query sha384 -sha384 -no_nonce -cert
query sha1 -sha1 -no_nonce
query md5 -md5 -no_nonce
query badpolicy -sha256 -no_nonce -tspolicy 1.2.3.4.9
reply() { name=$1; query=$2; key=$3; section=$4; ess=$5; digest=$6
  sed "s/^digests.*/&\ness_cert_id_alg = $ess/" ts.cnf > now.cnf
  openssl ts -reply -config now.cnf -section "$section" -signer "$key.pem" -inkey "$key.key" \
    "-$digest" -queryfile "$data/timestamps/openssl-request-$query.der" \
    -out "$data/timestamps/openssl-response-$name.der"; }
reply plain plain p256 whole sha256 sha256
reply full full p256 tsa sha256 sha256
reply sha384 sha384 p256 tsa sha384 sha384
reply sha512-rsa plain rsa2048 whole sha512 sha512
reply ess-v1 plain p256 whole sha1 sha256
reply rejected badpolicy p256 whole sha256 sha256
sed -i 's/^digests.*/&\nclock_precision_digits = 3/' ts.cnf
reply fraction plain p256 whole sha256 sha256
cat p256.pem rsa2048.pem > "$data/timestamps/openssl-tsa.pem"
