/** Changes to a config that a program makes: what it does not change stays as it is, comments too. */
import { z } from "zod";
import { parseYaml } from "./load.js";

/** Sets keys of the first mirror of a config; `a.b` is key b of section a. */
export function changeMirror(
  text: string,
  file: string,
  changes: Readonly<Record<string, unknown>>,
): string {
  const changed = Object.entries(changes).filter(([, value]) => value !== undefined);
  if (changed.length === 0) return text;
  const document = parseYaml(text, file);
  for (const [key, value] of changed) document.setIn(["mirrors", 0, ...key.split(".")], value);
  return document.toString({ lineWidth: 0 });
}

/** The hosts as the config writes them, with whatever else it says of each. */
export function readHostSections(text: string, file: string): HostSection[] {
  const hosts: unknown = parseYaml(text, file).toJS();
  const parsed = CONFIG.safeParse(hosts);
  return parsed.success ? (parsed.data.mirrors[0]?.hosts ?? []) : [];
}

export type HostSection = z.output<typeof HOST>;

const HOST = z.looseObject({ url: z.string() });
const CONFIG = z.looseObject({
  mirrors: z.array(z.looseObject({ hosts: z.array(HOST).default([]) })),
});
