import path from "node:path";
import tseslint from "typescript-eslint";

/** The floors of docs/architecture.md: imports point down, never sideways. */
const FLOORS = {
  errors: 0,
  limits: 0,
  runtime: 0,
  bytes: 1,
  duplicity: 2,
  librsync: 2,
  erasure: 2,
  manifest: 3,
  disk: 4,
  programs: 4,
  store: 5,
  config: 5,
  daemon: 5,
  retrieve: 6,
  master: 7,
  replica: 7,
  cli: 8,
};

/** Each door to the outside has one owner, or a short list of them. */
const DOORS = {
  "node:fs": ["disk"],
  "node:fs/promises": ["disk"],
  "node:child_process": [],
  "node:net": ["daemon"],
  "node:http": [],
  "node:https": [],
  execa: ["programs"],
  undici: ["store"],
  fastify: ["daemon"],
  "node-cron": ["daemon"],
  pino: ["daemon"],
  "prom-client": ["daemon"],
  yaml: ["config"],
  zod: ["config", "manifest", "master", "replica"],
  chokidar: ["master"],
  "@ronomon/reed-solomon": ["erasure"],
  commander: ["cli"],
  "cli-progress": ["cli"],
};

const floorOf = (file) => {
  const relative = path.relative(path.join(import.meta.dirname, "src"), file);
  const folder = relative.split(path.sep)[0].replace(/\.[jt]s$/, "");
  return { folder, floor: FLOORS[folder] };
};

const floors = {
  meta: { type: "problem", schema: [] },
  create(context) {
    const here = floorOf(context.filename);
    const check = (node) => {
      const name = node.source?.value;
      if (typeof name !== "string") return;
      if (!name.startsWith(".")) {
        const owners = DOORS[name];
        if (owners !== undefined && !owners.includes(here.folder)) {
          context.report({
            node,
            message: `${name} is the door of ${owners.join(", ") || "nobody"}, not of ${here.folder}`,
          });
        }
        return;
      }
      const there = floorOf(path.resolve(path.dirname(context.filename), name));
      if (there.folder !== here.folder && !(there.floor < here.floor) && here.floor !== 0) {
        context.report({
          node,
          message: `${here.folder} (floor ${here.floor}) must not import ${there.folder} (floor ${there.floor})`,
        });
      }
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "coverage/", "*.js", "*.cjs", "bench/**/*.mjs"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
    },
  },
  {
    files: ["src/**/*.ts"],
    plugins: { house: { rules: { floors } } },
    rules: {
      "house/floors": "error",
      "@typescript-eslint/consistent-type-assertions": ["error", { assertionStyle: "never" }],
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }],
      "max-depth": ["error", 3],
      "max-params": ["error", 4],
      "no-console": "error",
    },
  },
  {
    files: ["src/bytes/**/*.ts"],
    rules: { "@typescript-eslint/consistent-type-assertions": "off" },
  },
);
