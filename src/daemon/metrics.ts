/** What a daemon counts, for Prometheus; every name and label stands here. */
import { Counter, Gauge, Registry } from "prom-client";

const COUNTERS = {
  dupmirror_master_cycles_total: {
    help: "Cycles ended, by outcome (published, unchanged, failed).",
    labels: ["mirror", "outcome"],
  },
  dupmirror_master_published_sets_total: { help: "Sets published.", labels: ["mirror"] },
  dupmirror_master_published_bytes_total: {
    help: "Bytes of blocks written to all shares.",
    labels: ["mirror"],
  },
  dupmirror_http_requests_total: {
    help: "HTTP requests answered, by status.",
    labels: ["mirror", "status"],
  },
  dupmirror_http_sent_bytes_total: { help: "Bytes of bodies sent.", labels: ["mirror"] },
} as const;

const GAUGES = {
  dupmirror_master_generation: { help: "Generation of the published head.", labels: ["mirror"] },
  dupmirror_master_published_timestamp_seconds: {
    help: "When the head was published.",
    labels: ["mirror"],
  },
  dupmirror_master_expires_timestamp_seconds: {
    help: "When the published head expires.",
    labels: ["mirror"],
  },
  dupmirror_master_cycle_seconds: { help: "Length of the last cycle.", labels: ["mirror"] },
  dupmirror_master_missed_files: {
    help: "Files that changed without duplicity seeing it, not yet mended.",
    labels: ["mirror"],
  },
  dupmirror_master_host_behind: {
    help: "1 while the host does not hold all that the published head names.",
    labels: ["mirror", "host"],
  },
  dupmirror_master_host_behind_timestamp_seconds: {
    help: "Since when the host is behind; 0 while it is not.",
    labels: ["mirror", "host"],
  },
  dupmirror_master_host_generation: {
    help: "Generation of the newest head at the host.",
    labels: ["mirror", "host"],
  },
  dupmirror_master_host_missing_bytes: {
    help: "Bytes of the newest sets that the host lacks, as far as known.",
    labels: ["mirror", "host"],
  },
} as const;

type CounterName = keyof typeof COUNTERS;
type GaugeName = keyof typeof GAUGES;
type CounterLabels<Name extends CounterName> = Readonly<
  Record<(typeof COUNTERS)[Name]["labels"][number], string>
>;
type GaugeLabels<Name extends GaugeName> = Readonly<
  Record<(typeof GAUGES)[Name]["labels"][number], string>
>;

export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();

  constructor() {
    const registers = [this.#registry];
    for (const [name, { help, labels }] of Object.entries(COUNTERS)) {
      this.#counters.set(name, new Counter({ name, help, labelNames: labels, registers }));
    }
    for (const [name, { help, labels }] of Object.entries(GAUGES)) {
      this.#gauges.set(name, new Gauge({ name, help, labelNames: labels, registers }));
    }
  }

  add<Name extends CounterName>(name: Name, labels: CounterLabels<Name>, by = 1): void {
    this.#counters.get(name)?.inc(labels, by);
  }

  set<Name extends GaugeName>(name: Name, labels: GaugeLabels<Name>, value: number): void {
    this.#gauges.get(name)?.set(labels, value);
  }

  /** Prometheus's text format. */
  async text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}
