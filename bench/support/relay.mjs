/** A TCP relay on loopback that counts what goes through it, so that every program's traffic is measured alike. */
import { connect, createServer } from "node:net";

/** Relays to `port`; bytes are those of both directions, headers included, without those of TCP itself. */
export async function startRelay(port) {
  const sockets = new Set();
  let bytes = 0;
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(from);
      from.on("data", (part) => {
        bytes += part.length;
      });
      from.on("error", () => to.destroy()).on("close", () => sockets.delete(from));
      from.pipe(to);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    /** Since the last call. */
    takeBytes: () => {
      const taken = bytes;
      bytes = 0;
      return taken;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
