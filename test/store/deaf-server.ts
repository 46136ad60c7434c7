/** An address that a connection is never made to: somebody listens there, has no room left, and accepts nobody. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface DeafServer {
  readonly url: string;
  close(): Promise<void>;
}

/** With a backlog of 1 the kernel makes two connections by itself, and answers no further one. */
const LISTEN = `
  const server = require("node:net").createServer().listen(0, "127.0.0.1", 1, () => {
    console.log(server.address().port);
    process.kill(process.pid, "SIGSTOP");
  });`;
const ROOM = 2;

export async function startDeafServer(): Promise<DeafServer> {
  const child = spawn(process.execPath, ["-e", LISTEN], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(said.toString());
  const fillers: Socket[] = [];
  while (fillers.length < ROOM) {
    const filler = connect(port, "127.0.0.1");
    await once(filler, "connect");
    fillers.push(filler);
  }
  return {
    url: `http://127.0.0.1:${port}/pub`,
    close: async () => {
      for (const filler of fillers) filler.destroy();
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
