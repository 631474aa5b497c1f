{{- /* Name of everything namespaced: the chart's own, so that commands in the documentation hold for any release name. */ -}}
{{- define "videojob.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* Cluster-scoped names carry the namespace: two releases may serve disjoint lists of namespaces. */ -}}
{{- define "videojob.clusterName" -}}
{{ include "videojob.name" . }}:{{ .Release.Namespace }}
{{- end -}}

{{- define "videojob.serviceAccount" -}}
{{- default (include "videojob.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "videojob.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "videojob.labels" -}}
{{ include "videojob.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: videojob
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* Reference of an image: call with (dict "image" .Values.X.image "chart" .Chart). A digest decides over the tag. */ -}}
{{- define "videojob.image" -}}
{{- with .image.registry }}{{ . }}/{{ end -}}
{{ .image.repository }}:{{ default .chart.AppVersion .image.tag }}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- /* Namespaces served by Roles, comma-separated; empty means all. The release's own always belongs to a list. */ -}}
{{- define "videojob.watched" -}}
{{- if .Values.watch.namespaces -}}
{{- append .Values.watch.namespaces .Release.Namespace | uniq | sortAlpha | join "," -}}
{{- end -}}
{{- end -}}

{{- /* Namespaces made ready, by name. */ -}}
{{- define "videojob.ready" -}}
{{- $names := list -}}
{{- range .Values.namespaces -}}
{{- $names = append $names (default $.Release.Namespace .name) -}}
{{- end -}}
{{- if ne (len $names) (len (uniq $names)) -}}
{{- fail (printf "namespaces: %s stands there twice" (join ", " $names)) -}}
{{- end -}}
{{- join "," $names -}}
{{- end -}}
