// Makes a TypeScript file of each dashboard, with the JSON as a literal: tsc then
// finds members that the schema doesn't know, and values of the wrong type.
import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';

const source = process.argv[2] ?? '..';
rmSync('generated', {recursive: true, force: true});
mkdirSync('generated');
for (const file of readdirSync(source).filter((name) => name.endsWith('.json'))) {
  const text = readFileSync(`${source}/${file}`, 'utf8');
  writeFileSync(`generated/${file.replace('.json', '.ts')}`,
    `import type {Checked} from '../types';\n\nexport const dashboard: Checked = ${text};\n`);
}
