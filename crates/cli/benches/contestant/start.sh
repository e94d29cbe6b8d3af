#!/usr/bin/env bash
# Starts `assay serve` beside the control plane in DIR and registers its webhook by URL: CONTESTANT_START of the bench's run.sh
# and, where REGISTRY is set, of its images-signed.sh. Runs in the folder of the bench; the cases get Assay's names of the rules.
#   ASSAY                  the binary
#   REGISTRY, PUBLIC_KEY   the images that have to be signed, and by which key
set -euo pipefail
own=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
. ./lib.sh
. "$DIR/env"
mkdir -p "$DIR/assay/config"
if [ -n "${REGISTRY:-}" ]; then
  cp "$own/signed/policy.yaml" "$DIR/assay/config/"
  cp "$PUBLIC_KEY" "$DIR/assay/config/cosign.pub"
  sed -i 's/"images-signed"/"require-signature"/g' "$DIR/probe.json"
  # Images from elsewhere are none of this policy's business, as they are none of the others'.
  conditions='[{name: own-registry, expression: "object.spec.containers.exists(own, own.image.startsWith('"'$REGISTRY/'"'))"}]'
else
  cp "$own/rules/environment.yaml" "$DIR/assay/config/"
  sed -i -f "$own/rules/names.sed" policies/cases.json "$DIR/cases.json"
  conditions='[]'
  set -- --offline
fi
# They cost the API server memory, as those of the others do; what is in force comes from files all the same.
kc apply --server-side -f "$own/../../../../deploy/crds.yaml" >/dev/null
kc wait --for condition=established --timeout 60s crd --all >/dev/null
port=$(free_port)
cert assay/serving /CN=assay 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth'
spawn assay "$ASSAY" serve --listen "127.0.0.1:$port" --config "$DIR/assay/config" "$@" \
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
  matchConditions: $conditions
Y
