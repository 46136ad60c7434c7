/** Configs as `init` writes them: what must be said, and the keys people change first as comments. */

export function formatMasterConfig(options: {
  readonly name: string;
  readonly tree: string;
  readonly shares: { readonly k: number; readonly n: number };
  readonly listen?: string;
}): string {
  const { name, tree, shares, listen } = options;
  const http =
    listen === undefined
      ? "# http: { listen: 0.0.0.0:8873 }"
      : `http: { listen: ${JSON.stringify(listen)} }`;
  return `# Relative paths are relative to this file. All keys: config/master.yaml of the distribution.
mirrors:
  - name: ${name}
    tree: ${JSON.stringify(tree)}
    repository: repository
    publication: publication
    stateDirectory: state
    signing: { keyFile: ${name}.key }
    shares: { k: ${shares.k}, n: ${shares.n} }
    duplicity: { engine: run, volumeSize: 25 MiB, fullEvery: 30d }
    watch: true
    schedule: "*/15 * * * *"
    ${http}
`;
}

/**
 * Of a backup that has yet to be told its shares and hosts. Chains begin when somebody asks for one, and a head is good
 * until somebody restores what it names.
 */
export function formatBackupConfig(options: {
  readonly name: string;
  readonly tree: string;
}): string {
  const { name, tree } = options;
  return `# The backup of a tree, as \`dupmirror backup\` keeps it. What is changed here stays, but for what its options say.
# Relative paths are relative to this file. All keys: config/master.yaml of the distribution.
mirrors:
  - name: ${name}
    tree: ${JSON.stringify(tree)}
    repository: repository
    publication: publication
    stateDirectory: state
    signing: { keyFile: ${name}.key }
    duplicity: { engine: run, fullEvery: 3660d }
    retain: { chains: 10 }
    headLifetime: 36500d
`;
}

export function formatReplicaConfig(options: {
  readonly name: string;
  readonly tree: string;
  readonly stateDirectory: string;
  readonly keyFile: string;
  readonly sources: readonly string[];
}): string {
  const { name, tree, stateDirectory, keyFile, sources } = options;
  return `# Relative paths are relative to this file. All keys: config/replica.yaml of the distribution.
mirrors:
  - name: ${name}
    tree: ${JSON.stringify(tree)}
    stateDirectory: ${JSON.stringify(stateDirectory)}
    trust: { keyFile: ${JSON.stringify(keyFile)} }
    sources:
${sources.map((source) => `      - ${JSON.stringify(source)}`).join("\n")}
    poll: { every: 60s, jitter: 20% }
    delete: { maxPercent: 5, maxFiles: 50000 }
`;
}
