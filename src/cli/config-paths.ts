/** Where configs are looked for when `-c` names none. */
export const MASTER_CONFIG = "/etc/dupmirror/master.yaml";
export const REPLICA_CONFIG = "/etc/dupmirror/replica.yaml";
