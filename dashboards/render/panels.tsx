// One component for each kind of panel.
import {type DataFrame, type DisplayValue, FieldType, formattedValueToString, type TimeRange} from '@grafana/data';
import {BigValue, Table, TimeSeries, VizLegend} from '@grafana/ui';
import type {ReactElement} from 'react';

import {type Line, theme} from './frames';

export interface Box {width: number; height: number}

export function Stat({frames, options, width, height}: Box & {frames: DataFrame[]; options: any}): ReactElement {
  const values: DisplayValue[] = frames.map((frame) => {
    const field = frame.fields[1];
    const value = field.display!(field.values[field.values.length - 1]);
    return {...value, title: field.config.displayNameFromDS};
  });
  const share = Math.floor(width / values.length);
  return <div style={{display: 'flex'}}>{values.map((value, i) => (
    <BigValue key={i} theme={theme} width={share} height={height} value={value} colorMode={options.colorMode} graphMode={options.graphMode}
      justifyMode={options.justifyMode} textMode={options.textMode} count={values.length} disableWideLayout={!options.wideLayout} />
  ))}</div>;
}

export function Series({frames, options, range, width, height}: Box & {frames: DataFrame[]; options: any; range: TimeRange}): ReactElement {
  return <TimeSeries frames={frames} structureRev={1} timeRange={range} timeZone="utc" width={width} height={height} legend={options.legend} options={options} />;
}

// Timeline is drawn here, because no package has Grafana's.
export function Timeline({frames, range, width, height}: Box & {frames: DataFrame[]; range: TimeRange}): ReactElement {
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const [left, bottom] = [90, 56];
  const rowHeight = (height - bottom) / frames.length;
  const shown = new Map<string, string>();
  const bars: ReactElement[] = [];
  const x = (time: number) => left + ((time - from) / (to - from)) * (width - left - 8);
  frames.forEach((frame, row) => {
    const [times, values] = frame.fields;
    bars.push(<text key={`name ${row}`} x={left - 8} y={(row + 0.5) * rowHeight + 4} textAnchor="end" fontSize={12} fill={theme.colors.text.primary}>{values.config.displayNameFromDS}</text>);
    for (let i = 0, next; i < times.values.length; i = next) {
      for (next = i + 1; next < times.values.length && values.values[next] === values.values[i]; next++);
      if (values.values[i] === null) {
        continue;
      }
      const display = values.display!(values.values[i]);
      const [begin, end] = [x(times.values[i]), x(times.values[Math.min(next, times.values.length - 1)])];
      shown.set(formattedValueToString(display), display.color!);
      bars.push(<rect key={`${row} ${i}`} x={begin} y={row * rowHeight + 3} width={Math.max(1, end - begin)} height={rowHeight - 6} fill={display.color} fillOpacity={0.75} />);
      if (end - begin > 80) {
        bars.push(<text key={`${row} ${i} text`} x={begin + 6} y={(row + 0.5) * rowHeight + 4} fontSize={12} fill="#fff">{formattedValueToString(display)}</text>);
      }
    }
  });
  for (let i = 0; i <= 4; i++) {
    const at = from + (i / 4) * (to - from);
    bars.push(<text key={`time ${i}`} x={x(at)} y={height - bottom + 14} fontSize={11} textAnchor={i === 4 ? 'end' : 'middle'} fill={theme.colors.text.secondary}>{new Date(at).toISOString().slice(11, 19)}</text>);
  }
  return <div>
    <svg width={width} height={height - 34}>{bars}</svg>
    <VizLegend displayMode={'list' as never} placement="bottom" items={[...shown].map(([label, color]) => ({label, color, yAxis: 1}))} />
  </div>;
}

export function Rows({frame, width, height}: Box & {frame: DataFrame}): ReactElement {
  return <Table data={frame} width={width} height={height} columnMinWidth={70} />;
}

// Logs is drawn here, because no package has Grafana's panel of logs.
export function Logs({lines, height}: Box & {lines: Line[]}): ReactElement {
  return <div style={{height, overflow: 'hidden', fontFamily: theme.typography.fontFamilyMonospace, fontSize: 12, lineHeight: 1.5}}>
    {lines.slice(0, 30).map((l, i) => (
      <div key={i} style={{display: 'flex', gap: 12, borderBottom: `1px solid ${theme.colors.border.weak}`, padding: '2px 0'}}>
        <span style={{color: theme.colors.text.secondary, whiteSpace: 'nowrap'}}>{new Date(l.time).toISOString().replace('T', ' ').slice(0, 23)}</span>
        <span style={{whiteSpace: 'pre-wrap'}}>{l.line}</span>
      </div>
    ))}
  </div>;
}

export function Nothing({text, height}: Box & {text: string}): ReactElement {
  return <div style={{height, display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary}}>{text}</div>;
}

export const numeric = (frames: DataFrame[]) => frames.some((f) => f.fields.some((field) => field.type === FieldType.number && field.values.some((v) => v !== null)));
