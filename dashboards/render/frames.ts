// Makes Grafana's data frames of recorded answers, as its datasources do.
import {
  cacheFieldDisplayNames, createTheme, type DataFrame, dateTime, type Field, FieldType, getDisplayProcessor, standardTransformers,
  standardTransformersRegistry, type TimeRange, toDataFrame, transformDataFrame,
} from '@grafana/data';
import {firstValueFrom} from 'rxjs';

export const theme = createTheme({colors: {mode: 'light'}});

standardTransformersRegistry.setInit(() =>
  [standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer]
    .map((transformation) => ({id: transformation.id, name: transformation.name, transformation, editor: () => null}) as never));

interface Series {metric: Record<string, string>; value?: [number, string]; values?: Array<[number, string]>}
interface Stream {labels: string; entries: Array<{ts: string; line: string}>}

export interface Recording {
  begin: number;
  end: number;
  answers: Record<string, {data: {result: Series[]}}>;
  loki: Record<string, Array<Series | Stream>>;
}

export function timeRange(r: Recording): TimeRange {
  const [from, to] = [dateTime(r.begin), dateTime(r.end)];
  return {from, to, raw: {from, to}};
}

const legend = (format: string, labels: Record<string, string>) =>
  format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name: string) => labels[name] ?? '');

// series makes a frame of each series, with gaps where there are no samples.
export function series(answer: Series[], refId: string, format: string, step: number): DataFrame[] {
  return answer.map((s) => {
    const samples = s.values ?? (s.value ? [s.value] : []);
    const times: number[] = [], values: Array<number | null> = [];
    for (const [at, value] of samples) {
      if (times.length > 0 && at * 1000 - times[times.length - 1] > 3 * step) {
        times.push(times[times.length - 1] + step);
        values.push(null);
      }
      times.push(at * 1000);
      values.push(value === 'NaN' ? null : Number(value));
    }
    const name = legend(format, s.metric);
    return toDataFrame({refId, name, fields: [
      {name: 'Time', type: FieldType.time, values: times},
      {name: 'Value', type: FieldType.number, values, labels: s.metric, config: {displayNameFromDS: name}},
    ]});
  });
}

// rows makes one frame with a column for each label, and the value.
export function rows(answer: Series[], refId: string, only: boolean): DataFrame {
  const labels = [...new Set(answer.flatMap((s) => Object.keys(s.metric)))].sort();
  return toDataFrame({refId, fields: [
    {name: 'Time', type: FieldType.time, values: answer.map((s) => s.value![0] * 1000)},
    ...labels.map((label) => ({name: label, type: FieldType.string, values: answer.map((s) => s.metric[label] ?? '')})),
    {name: only ? 'Value' : `Value #${refId}`, type: FieldType.number, values: answer.map((s) => Number(s.value![1]))},
  ]});
}

export interface Line {time: number; line: string; labels: Record<string, string>}

// lines are the entries of streams, the newest first.
export function lines(streams: Stream[]): Line[] {
  return streams.flatMap((s) => {
    const labels = Object.fromEntries([...s.labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], JSON.parse(`"${m[2]}"`) as string]));
    return s.entries.map((e) => ({time: Date.parse(e.ts), line: e.line, labels}));
  }).sort((a, b) => b.time - a.time);
}

// extracted does what Grafana's transformation extractFields does to labels. It
// is in no package.
export function extracted(all: Line[]): DataFrame {
  const names = [...new Set(all.flatMap((l) => Object.keys(l.labels)))];
  return toDataFrame({fields: [
    {name: 'Time', type: FieldType.time, values: all.map((l) => l.time)},
    {name: 'Line', type: FieldType.string, values: all.map((l) => l.line)},
    ...names.map((name) => ({name, type: FieldType.string, values: all.map((l) => l.labels[name] ?? '')})),
  ]});
}

export const transform = (transformations: Array<{id: string; options: object}>, frames: DataFrame[]) =>
  firstValueFrom(transformDataFrame(transformations, frames));

// configure sets what the panel says of its fields: defaults, then overrides by
// name. It stands for applyFieldOverrides, which needs Grafana's registries.
export function configure(frames: DataFrame[], fieldConfig: any): DataFrame[] {
  cacheFieldDisplayNames(frames);
  for (const frame of frames) {
    for (const [index, field] of frame.fields.entries()) {
      const config = structuredClone({...fieldConfig.defaults, ...field.config});
      if (field.type === FieldType.time) {
        config.unit = undefined;
        config.mappings = [];
      }
      for (const override of fieldConfig.overrides) {
        const name = field.config.displayName ?? field.name;
        if (override.matcher.id === 'byRegexp' ? !new RegExp(override.matcher.options).test(name) : override.matcher.options !== name) {
          continue;
        }
        for (const {id, value} of override.properties) {
          if (id.startsWith('custom.')) {
            config.custom = {...config.custom, [id.slice('custom.'.length)]: value};
          } else if (id !== 'links') {
            config[id] = value;
          }
        }
      }
      delete config.links; // A picture has nothing to click on.
      config.thresholds?.steps.forEach((s: {value: number | null}, i: number) => i === 0 && (s.value = -Infinity));
      field.config = config;
      field.state = {...field.state, seriesIndex: frames.indexOf(frame), origin: {frameIndex: frames.indexOf(frame), fieldIndex: index}};
      field.display = getDisplayProcessor({field: field as Field, theme, timeZone: 'utc'});
    }
  }
  return frames;
}
