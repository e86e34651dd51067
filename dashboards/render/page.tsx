// Draws the dashboard and the recording that the page carries, at the size that
// it has in a browser window.
import {type DataFrame, ThemeContext} from '@grafana/data';
import {GlobalStyles, PanelChrome} from '@grafana/ui';
import {type ReactElement, useEffect, useState} from 'react';
import {createRoot} from 'react-dom/client';

import {configure, extracted, type Line, lines, type Recording, rows, series, theme, timeRange, transform} from './frames';
import {Logs, Nothing, numeric, Rows, Series, Stat, Timeline} from './panels';

declare global {
  interface Window {dashboard: any; recording: Recording}
}

const {dashboard, recording} = window;
const range = timeRange(recording);
const [cell, gap] = [{width: 56, height: 34}, 8];

function key(panel: any, target: any): string {
  return `${dashboard.uid}/${panel.title}/${target.refId}`;
}

// Drawn is a panel with its answers.
function Drawn({panel, width, height}: {panel: any; width: number; height: number}): ReactElement {
  const [frames, setFrames] = useState<DataFrame[]>();
  const loki = panel.datasource.type === 'loki';
  const answers = panel.targets.map((t: any) => (loki ? recording.loki[key(panel, t)] : recording.answers[key(panel, t)]?.data.result) ?? []);
  const entries: Line[] = loki && panel.type !== 'timeseries' ? lines(answers[0]) : [];
  useEffect(() => {
    const raw = (): DataFrame[] | Promise<DataFrame[]> => {
      if (panel.type === 'table') {
        const own = panel.transformations.filter((t: any) => t.id !== 'extractFields');
        return transform(own, loki ? [extracted(entries)] : answers.map((a: any, i: number) => rows(a, panel.targets[i].refId, answers.length === 1)));
      }
      return panel.type === 'logs' ? [] : answers.flatMap((a: any, i: number) =>
        series(a, panel.targets[i].refId, panel.targets[i].legendFormat ?? '', loki ? 5000 : 1000));
    };
    void Promise.resolve(raw()).then((all) => setFrames(configure(all, panel.fieldConfig)));
  }, []);
  const box = {width, height};
  if (!frames) {
    return <div />;
  }
  switch (panel.type) {
    case 'logs':
      return <Logs {...box} lines={entries} />;
    case 'table':
      return frames[0]?.length ? <Rows {...box} frame={frames[0]} /> : <Nothing {...box} text={panel.fieldConfig.defaults.noValue} />;
  }
  if (!numeric(frames)) {
    return <Nothing {...box} text={panel.fieldConfig.defaults.noValue} />;
  }
  switch (panel.type) {
    case 'stat':
      return <Stat {...box} frames={frames} options={panel.options} />;
    case 'state-timeline':
      return <Timeline {...box} frames={frames} range={range} />;
    default:
      return <Series {...box} frames={frames} options={panel.options} range={range} />;
  }
}

function Page(): ReactElement {
  const bottom = Math.max(...dashboard.panels.map((p: any) => p.gridPos.y + p.gridPos.h));
  return <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <div style={{position: 'relative', width: 24 * cell.width + gap, height: bottom * cell.height + 52, background: theme.colors.background.canvas}}>
      <div style={{padding: '12px 12px 0', fontSize: 20}}>{dashboard.title}</div>
      {dashboard.panels.map((p: any) => {
        const at = {left: p.gridPos.x * cell.width + gap, top: p.gridPos.y * cell.height + 48, width: p.gridPos.w * cell.width - gap, height: p.gridPos.h * cell.height - gap};
        return <div key={p.id} style={{position: 'absolute', ...at}}>
          {p.type === 'row' ? <div style={{fontSize: 16, paddingTop: 4}}>{p.title}</div> :
            <PanelChrome title={p.title} width={at.width} height={at.height}>
              {(width: number, height: number) => <Drawn panel={p} width={width} height={height} />}
            </PanelChrome>}
        </div>;
      })}
    </div>
  </ThemeContext.Provider>;
}

document.body.style.width = `${24 * cell.width + gap}px`;
createRoot(document.getElementById('root')!).render(<Page />);
