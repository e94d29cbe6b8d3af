# The names of the rules, as Assay's refusals have them.
s/"pss-run-as-\(non-root\|user\)"/"run-as-non-root"/g
s/"pss-[a-z-]*"/"no-privileged"/g
s/"images-registries"/"allowed-registries"/g
s/"images-latest"/"disallow-latest"/g
s/"images-digest"/"require-digest"/g
s/"images-pull-policy"/"pull-policy"/g
