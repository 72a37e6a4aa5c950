-- ARGV: limit, visibility. Gives out due jobs, earliest first.
--
-- A reply is kept to some 4 MiB: what is left is given out by the next call. Claims that ran out are looked
-- through in portions; one that is not reached yet is found when it would be given out.

local limit, visible = tonumber(ARGV[1]), from_now(ARGV[2])
local out, n, given, bytes, buried = {}, 1, 0, 0, 0

local lapsed = call('ZRANGE', RUNNING, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1000)
for i = 1, #lapsed do
  local id = lapsed[i]
  local job, corrupt = load(id)
  if corrupt then
    return corrupt
  end
  if job and job.attempts >= job.most then
    bury(id, job, buried)
    buried = buried + 1
  else
    call('ZREM', RUNNING, id)
  end
end

while given < limit and bytes < 4194304 do
  local id = call('ZRANGE', DUE, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1]
  if not id then
    break
  end
  local job, corrupt = load(id)
  if corrupt and given == 0 then
    return corrupt
  elseif corrupt then
    -- What has been claimed is given out; the next call reports this.
    break
  elseif not job then
    call('ZREM', DUE, id)
  elseif job.attempts >= job.most then
    bury(id, job, buried)
    buried = buried + 1
  else
    job.attempts = job.attempts + 1
    -- The time makes a receipt differ from those of earlier jobs with this id; the maximum, from those of
    -- this one even when the clock was set back.
    job.receipt = math.max(now, job.receipt + 1)
    save(id, job)
    call('ZADD', DUE, visible, id)
    call('ZADD', RUNNING, visible, id)
    local payload = call('HGET', PAYLOADS, id) or ''
    out[n + 1] = format('%d ', #id)
    out[n + 2] = id
    out[n + 3] = format('%d ', #payload)
    out[n + 4] = payload
    out[n + 5] = format('%d %d ', job.attempts, job.receipt)
    n = n + 5
    given = given + 1
    bytes = bytes + #id + #payload
  end
end

out[1] = format('+%d ', given)
return table.concat(out)
