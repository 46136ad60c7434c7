/** The page at `/`: which mirrors are served here. */
export function formatStatusPage(
  folders: ReadonlyMap<string, string>,
  status: readonly string[] = [],
): string {
  const mirrors = [...folders.keys()].map(
    (name) => `<li><a href="/${encodeURIComponent(name)}/head">${escapeHtml(name)}</a></li>`,
  );
  const facts = status.map((line) => `${escapeHtml(line)}\n`).join("");
  return `<!doctype html>
<meta charset="utf-8">
<title>dupmirror</title>
<h1>dupmirror</h1>
<ul>
${mirrors.join("\n")}
</ul>
<pre>
${facts}</pre>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
