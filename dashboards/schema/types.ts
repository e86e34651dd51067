// The schema types of the dashboards as JSON writes them: enums of strings are
// the strings, and what a plugin adds to a model is named here.
import type * as schema from '@grafana/schema';
import type {AnnotationQuery, Dashboard, FieldConfig, Panel, RowPanel} from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
import type {Options as LogsOptions} from '@grafana/schema/dist/esm/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen';
import type {Options as StatOptions} from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {FieldConfig as TimelineField, Options as TimelineOptions} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type {Options as SeriesOptions} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type {Options as TableOptions} from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';

type Literal<T> = T extends string ? `${T}` :
  T extends (infer U)[] ? Literal<U>[] :
  T extends object ? {[K in keyof T]: Literal<T[K]>} : T;

// Grafana's DataLink, which @grafana/data has.
interface Link {
  title: string;
  url: string;
  targetBlank?: boolean;
}

interface Query {
  refId: string;
  datasource: {type: 'prometheus' | 'loki'; uid: string};
  expr: string;
  legendFormat?: string;
  format?: 'table' | 'time_series';
  instant?: boolean;
  range?: boolean;
  queryType?: 'range' | 'instant';
  maxLines?: number;
}

interface Typed<Kind extends string, Options, Custom> extends Omit<Panel, 'type' | 'options' | 'targets' | 'fieldConfig'> {
  type: Kind;
  options: Options;
  targets: Query[];
  fieldConfig: Omit<NonNullable<Panel['fieldConfig']>, 'defaults'> & {
    defaults: Omit<FieldConfig, 'custom' | 'links'> & {custom?: Custom; links?: Link[]};
  };
}

type Known =
  | Typed<'stat', StatOptions, never>
  | Typed<'timeseries', SeriesOptions, schema.GraphFieldConfig>
  | Typed<'state-timeline', TimelineOptions, TimelineField>
  | Typed<'table', TableOptions, schema.TableFieldOptions>
  | Typed<'logs', LogsOptions, never>;

// What the datasources add to an annotation.
interface Annotation extends AnnotationQuery {
  expr: string;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  step?: string;
}

export type Checked = Literal<Omit<Dashboard, 'panels' | 'annotations'> & {
  panels: Array<Known | RowPanel>;
  annotations: {list: Annotation[]};
}>;
