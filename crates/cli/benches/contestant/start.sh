#!/usr/bin/env bash
# Starts `assay serve` beside the control plane in DIR and registers its webhook by URL: CONTESTANT_START of run.sh.
# Runs in the folder of the bench, whose cases it gives Assay's names of the rules.
#   ASSAY   the binary
set -euo pipefail
own=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
. ./lib.sh
. "$DIR/env"
mkdir -p "$DIR/assay/config"
cp "$own/environment.yaml" "$DIR/assay/config/"
sed -i -f "$own/rules.sed" policies/cases.json
port=$(free_port)
cert assay/serving /CN=assay 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth'
spawn assay "$ASSAY" serve --listen "127.0.0.1:$port" --config "$DIR/assay/config" --offline \
  --certificate "$DIR/assay/serving.crt" --private-key "$DIR/assay/serving.key" \
  --state-dir "$DIR/assay/state" --cache-dir "$DIR/assay/cache"
wait_for 60 curl -sf --cacert "$DIR/ca.crt" "https://127.0.0.1:$port/readyz" || die "not ready, see $DIR/assay.log"
kc apply -f - >/dev/null <<Y
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: assay}
webhooks:
- name: admission.assay.dev
  admissionReviewVersions: [v1]
  sideEffects: NoneOnDryRun
  failurePolicy: Fail
  timeoutSeconds: 5
  clientConfig: {url: "https://127.0.0.1:$port/validate", caBundle: $(base64 -w0 "$DIR/ca.crt")}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]
Y
