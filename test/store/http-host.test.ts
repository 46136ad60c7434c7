import { describe, expect, it, onTestFinished } from "vitest";
import type { Host } from "../../src/store/host.js";
import { openHost } from "../../src/store/open-host.js";
import type { SourceLimits } from "../../src/store/source.js";
import { Random } from "../support/random.js";
import { contentOf } from "./host-conformance.js";
import { always, type Fault, type PutServer, startPutServer } from "./put-server.js";
import { HASTY_LIMITS, neverAborted, PATIENT_LIMITS, testRuntime } from "./runtime.js";

const options = { signal: neverAborted() };
const BYTES = new Random(5).bytes(400_000);

describe("a server that takes files", () => {
  it.each([
    [401, "SOURCE_INVALID", /status 401: are its credentials right/],
    [403, "SOURCE_INVALID", /status 403: may we write there/],
    [405, "SOURCE_INVALID", /status 405: does it take files by PUT/],
    [413, "SOURCE_INVALID", /status 413: it takes no file of 400000 bytes/],
    [507, "DISK_SPACE", /status 507: the host's disk is full/],
  ])("and answers with status %i is asked once, and told of in a line", async (...wanted) => {
    const [status, code, message] = wanted;
    const { host, server } = await open(always(status));

    await expect(host.put("pack", contentOf(BYTES), options)).rejects.toMatchObject({
      ...{ code, message: expect.stringMatching(message) as string },
    });

    expect(server.changes.filter((change) => change.startsWith("PUT"))).toHaveLength(1);
  });

  it.each([
    ["answers with status 503", always(503), PATIENT_LIMITS],
    ["gives the connection up", give, PATIENT_LIMITS],
    ["gives the connection up in the middle of a file", giveInTheMiddle, PATIENT_LIMITS],
    ["never answers", swallow, HASTY_LIMITS],
    ["takes nothing", () => true, HASTY_LIMITS],
  ] as const)("and %s is asked three times", async (_, fault, limits) => {
    const { host, server } = await open(fault, limits);

    await expect(host.put("pack", contentOf(BYTES), options)).rejects.toMatchObject({
      code: expect.stringMatching(/^SOURCE_(UNREACHABLE|TIMEOUT)$/) as string,
    });

    expect(server.changes.filter((change) => change.startsWith("PUT"))).toHaveLength(3);
  });

  it("and fails once gets the file by the next attempt", async () => {
    let requests = 0;
    const { host, server } = await open((request, response) =>
      ++requests === 1 ? giveInTheMiddle(request, response) : false,
    );

    await host.put("pack", contentOf(BYTES), options);

    expect(BYTES.equals(server.files.get("pack") ?? new Uint8Array())).toBe(true);
  });

  it("and takes its time to store what was sent is waited for", async () => {
    const slowly: Fault = (request, response) => {
      if (request.method !== "PUT") return false;
      const answer = () => response.writeHead(201).end();
      request.resume().on("end", () => setTimeout(answer, 4 * HASTY_LIMITS.firstByteMs));
      return true;
    };
    const { host } = await open(slowly, HASTY_LIMITS, 20_000);

    await expect(host.put("pack", contentOf(BYTES), options)).resolves.toBeUndefined();
  });

  it("and cannot move files is asked to but once", async () => {
    const { host, server } = await open();

    for (const name of ["a", "b", "c"]) await host.put(name, contentOf(BYTES), options);

    expect(server.changes).toEqual([
      ...["PUT .a.new", "MOVE .a.new", "DELETE .a.new"],
      ...["PUT a", "PUT b", "PUT c"],
    ]);
  });

  it("and sends us elsewhere is not followed with what we have", async () => {
    const { host, server } = await open((request, response) => {
      request.resume();
      response.writeHead(307, { location: "/elsewhere" }).end();
      return true;
    });

    await expect(host.put("pack", contentOf(BYTES), options)).rejects.toMatchObject({
      code: "SOURCE_INVALID",
      message: expect.stringMatching(/redirects a PUT/) as string,
    });
    expect(server.changes).toHaveLength(1);
  });

  it("and says no size has none", async () => {
    const { host } = await open((_, response) => {
      response.writeHead(200, { "transfer-encoding": "chunked" }).end();
      return true;
    });

    await expect(host.size("head", options)).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  it("and hangs is left at once when somebody wants us to stop", async () => {
    const { host, server } = await open(swallow);
    const stop = new AbortController();
    const put = host.put("pack", contentOf(BYTES), { signal: stop.signal });
    await expect.poll(() => server.changes, { interval: 5, timeout: 20_000 }).toHaveLength(1);

    stop.abort(new Error("stopped"));

    await expect(put).rejects.toThrow("stopped");
  });
});

function give(...[request]: Parameters<Fault>): boolean {
  request.socket.destroy();
  return true;
}

function giveInTheMiddle(...[request]: Parameters<Fault>): boolean {
  request.once("data", () => request.socket.destroy());
  return true;
}

function swallow(...[request]: Parameters<Fault>): boolean {
  request.resume();
  return true;
}

/** Closed when the test ends. */
async function open(
  fault: Fault = () => false,
  limits: SourceLimits = PATIENT_LIMITS,
  storeMs = limits.firstByteMs,
): Promise<{ readonly host: Host; readonly server: PutServer }> {
  const server = await startPutServer();
  server.fail(fault);
  const order = { name: "a", url: server.url, limits: { ...limits, storeMs } };
  const host = openHost({ ...order, runtime: testRuntime() });
  onTestFinished(() => host.close());
  return { host, server };
}
