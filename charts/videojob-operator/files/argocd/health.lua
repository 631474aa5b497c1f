-- Health of a VideoJob for Argo CD: key `resource.customizations.health.videojob.dev_VideoJob` of the ConfigMap argocd-cm.
-- The conditions follow kstatus, so that tools that read it (Flux, helm --wait) need no script at all.
local function waiting(message)
  return { status = "Progressing", message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return waiting("is being deleted")
end
local status = obj.status
if status == nil or status.phase == nil or status.observedGeneration ~= obj.metadata.generation then
  return waiting("the operator has not looked at this version yet")
end

local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local function holds(kind)
  return found[kind] ~= nil and found[kind].status == "True"
end
local function words(kind)
  local condition = found[kind] or {}
  local message = condition.message or ""
  if message == "" then
    message = condition.reason or status.phase
  end
  return message
end

if holds("Stalled") then
  return { status = "Degraded", message = words("Stalled") }
end
if holds("Ready") then
  return { status = "Healthy", message = words("Ready") }
end
if status.phase == "Suspended" then
  return { status = "Suspended", message = words("Ready") }
end
local summary = status.phase
if status.stage ~= nil then
  summary = status.stage
end
if status.progress ~= nil and status.progress.summary ~= nil then
  summary = summary .. " " .. status.progress.summary
end
return waiting(summary)
