{{- define "assay.labels" -}}
app.kubernetes.io/part-of: assay
{{- end }}

{{- define "assay.selector" -}}
app.kubernetes.io/name: assay
{{- end }}

{{- define "assay.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{- define "assay.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
