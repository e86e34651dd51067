// Draws each dashboard from a recording, and saves the pictures.
//
//   node render.mjs DASHBOARDS RECORDING PICTURES
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {build} from 'esbuild';

const [dashboards, recordings, pictures] = process.argv.slice(2);
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const recording = {...read(join(recordings, 'prometheus.json')), loki: read(join(recordings, 'loki.json'))};

// Grafana's modules are .mjs, where esbuild takes a CommonJS module for its own
// default, as Node does. This one means the default that it exports.
const scrollbars = {
  name: 'scrollbars',
  setup({onLoad, onResolve}) {
    onResolve({filter: /^react-custom-scrollbars-2$/}, ({pluginData, path, resolveDir}) =>
      pluginData === 'inner' ? undefined : {path, namespace: 'scrollbars', pluginData: resolveDir});
    onLoad({filter: /.*/, namespace: 'scrollbars'}, ({path, pluginData}) =>
      ({contents: `module.exports = require('${path}').default`, resolveDir: pluginData, pluginData: 'inner'}));
  },
};

const work = mkdtempSync(join(tmpdir(), 'zkwarden-render-'));
try {
  await build({
    entryPoints: ['page.tsx'], plugins: [scrollbars], bundle: true, minify: true, outfile: join(work, 'page.js'), jsx: 'automatic', logLevel: 'error',
    define: {'process.env.NODE_ENV': '"production"'}, loader: {'.svg': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl'},
  });
  for (const file of readdirSync(dashboards).filter((name) => name.endsWith('.json'))) {
    const dashboard = read(join(dashboards, file));
    const rows = Math.max(...dashboard.panels.map((p) => p.gridPos.y + p.gridPos.h));
    const page = join(work, file.replace('.json', '.html'));
    const script = (value) => JSON.stringify(value).replaceAll('<', '\\u003c');
    writeFileSync(page, `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css"><body style="margin:0"><div id="root"></div>
<script>window.dashboard=${script(dashboard)};window.recording=${script(recording)}</script><script src="page.js"></script>`);
    execFileSync('chromium', [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--allow-file-access-from-files',
      `--user-data-dir=${join(work, 'profile-' + file)}`, `--window-size=1352,${rows * 34 + 56}`, '--virtual-time-budget=8000',
      `--screenshot=${join(pictures, file.replace('.json', '.png'))}`, `file://${page}`,
    ], {stdio: 'ignore', timeout: 120_000});
    execFileSync('pngquant', ['--force', '--ext=.png', '--strip', '128', join(pictures, file.replace('.json', '.png'))]);
  }
} finally {
  rmSync(work, {recursive: true, force: true});
}
