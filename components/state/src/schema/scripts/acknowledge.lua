-- ARGV: id, receipt. Removes a finished job; its id stays taken for as long as it asked.

local id = ARGV[1]
local job, refusal = claimed(id, ARGV[2])
if not job then
  return refusal
end
call('HDEL', JOBS, id)
call('HDEL', PAYLOADS, id)
call('ZREM', DUE, id)
call('ZREM', RUNNING, id)
if job.remember > 0 then
  local taken = from_now(job.remember)
  call('ZADD', DONE, taken, id)
  -- The set lives as long as the id in it that is remembered longest.
  local last = call('ZRANGE', DONE, 0, 0, 'REV', 'WITHSCORES')
  call('PEXPIREAT', DONE, math.floor(last[2] / 1000) + 1)
end
return YES
