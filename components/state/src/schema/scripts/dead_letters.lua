-- ARGV: offset, limit (at least 1). Lists the dead letters, the latest first.

local first = tonumber(ARGV[1])
local found = call('ZRANGE', DEAD, first, first + ARGV[2] - 1, 'REV', 'WITHSCORES')
local out, n = { format('+%d ', #found / 2) }, 1
for i = 1, #found, 2 do
  local id = found[i]
  local job, corrupt = load(id)
  if not job then
    return corrupt or format('x%d ', #JOBS) .. JOBS
  end
  local payload = call('HGET', PAYLOADS, id) or ''
  out[n + 1] = format('%d ', #id)
  out[n + 2] = id
  out[n + 3] = format('%d ', #payload)
  out[n + 4] = payload
  out[n + 5] = format('%d %d ', job.attempts, #job.reason)
  out[n + 6] = job.reason
  out[n + 7] = format('%d ', math.floor(found[i + 1] / 1000))
  n = n + 7
end
return table.concat(out)
