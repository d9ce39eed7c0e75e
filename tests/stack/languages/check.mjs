// Grafana's own grammars and types read our dashboards.   usage: node check.mjs DASHBOARD.json… <QUERIES (dashboards.py --queries)
import fs from 'node:fs';
import { parser as logql } from '@grafana/lezer-logql';
import { parser as traceql } from '@grafana/lezer-traceql';
import ts from 'typescript';

// What the page puts in place of a variable.
const filled = (query) => query.replace(/\$__\w+/g, '5m').replace(/\$\{?\w+\}?/g, 'x');
const complaints = [];

const grammars = { loki: logql, tempo: traceql };
let queries = 0;
for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const { dashboard, panel, datasource, query } = JSON.parse(line);
  const isTraceId = query === '$trace';
  if (!grammars[datasource] || isTraceId) continue;
  queries++;
  grammars[datasource].parse(filled(query)).iterate({
    enter(node) { if (node.type.isError) complaints.push(`${dashboard}: ${panel}: not ${datasource}'s language at ${node.from}: ${filled(query)}`); },
  });
}
if (queries === 0) complaints.push('no query of Loki or Tempo was read');

// The declared enumerations of strings do not take a JSON string: they are read as unions of their values.
// An annotation has, besides, what its data source asks for.
const types = fs.readFileSync('node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen.d.ts', 'utf8')
  .replace(/(export interface AnnotationQuery \{)/, '$1 [of: string]: unknown;')
  .replace(/\bMappingType\.\w+/g, 'MappingType')
  .replace(/export declare enum (\w+) \{([^}]*)\}/g, (_, name, body) => `export type ${name} = ${[...body.matchAll(/= ([^,\n]+)/g)].map((m) => m[1]).join(' | ')};`);
fs.writeFileSync('dashboard-types.ts', types);
const files = process.argv.slice(2).map((path, i) => {
  const name = `dashboard-${i}.ts`;
  fs.writeFileSync(name, `import type { Dashboard } from './dashboard-types';\nexport const dashboard: Dashboard = ${fs.readFileSync(path, 'utf8')};\n`);
  return { name, path };
});
const options = { noEmit: true, strict: true, skipLibCheck: true, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, types: [] };
for (const found of ts.getPreEmitDiagnostics(ts.createProgram(files.map((file) => file.name), options))) {
  const at = found.file ? `${files.find((file) => found.file.fileName.endsWith(file.name))?.path ?? found.file.fileName}:${found.file.getLineAndCharacterOfPosition(found.start).line}: ` : '';
  complaints.push(at + ts.flattenDiagnosticMessageText(found.messageText, ' '));
}

complaints.forEach((complaint) => console.error(complaint));
process.exit(complaints.length ? 1 : 0);
