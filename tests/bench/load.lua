-- What wrk sends: one request for each line of a file of paths, in turn; all of them made before the run begins.
--
--	BENCH_PATHS   the file
--	BENCH_METHOD  GET
--	BENCH_TOKEN   a file with a bearer token, or nothing
--	BENCH_BODY    a file with a JSON body, or nothing
--
-- After the run: one line of JSON.

local threads = 0

function setup(thread)
	thread:set("number", threads)
	threads = threads + 1
end

local function read(name)
	local path = os.getenv(name)
	if not path or path == "" then return nil end
	local file = assert(io.open(path, "r"))
	local text = file:read("*a")
	file:close()
	return text
end

local requests, at = {}, 0

function init(args)
	local headers, method, body = {}, os.getenv("BENCH_METHOD") or "GET", read("BENCH_BODY")
	local token = read("BENCH_TOKEN")
	if token then headers["Authorization"] = "Bearer " .. token end
	if body then headers["Content-Type"] = "application/json" end
	for path in read("BENCH_PATHS"):gmatch("[^\n]+") do
		requests[#requests + 1] = wrk.format(method, path, headers, body)
	end
	at = number * math.floor(#requests / 2)
end

function request()
	at = at % #requests + 1
	return requests[at]
end

function done(summary, latency)
	local errors = summary.errors
	io.write(string.format(
		'{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"max":%d,"refused":%d,"broken":%d}\n',
		summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
		errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
