// What the dashboard must be. The types are Grafana's own; JSON writes an enum as its value.
import type { Dashboard, FieldConfig, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type { Options as BarGauge } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen.d.ts';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts';
import type {
  FieldConfig as TableField,
  Options as Table,
} from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts';
import type {
  FieldConfig as GraphField,
  Options as TimeSeries,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts';

type Written<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends number
      ? `${T}` extends `${infer N extends number}`
        ? N
        : T
      : T extends object
        ? { [K in keyof T]: Written<T[K]> }
        : T;

// Grafana has no published type of a Prometheus query.
interface Query {
  datasource: { type: 'prometheus'; uid: '${datasource}' };
  expr: string;
  refId: string;
  legendFormat?: string;
  format?: 'time_series' | 'table';
  instant?: boolean;
  range?: boolean;
}

type Of<Type extends string, Options, Custom> = Omit<
  Written<Panel>,
  'type' | 'options' | 'fieldConfig' | 'targets'
> & {
  type: Type;
  title: string;
  description: string;
  options: Written<Options>;
  fieldConfig: Omit<Written<NonNullable<Panel['fieldConfig']>>, 'defaults'> & {
    defaults: Omit<Written<FieldConfig>, 'custom'> & { custom?: Written<Custom> };
  };
  targets: Query[];
};

type OurPanel =
  | Of<'stat', Stat, never>
  | Of<'bargauge', BarGauge, never>
  | Of<'table', Table, Partial<TableField>>
  | Of<'timeseries', TimeSeries, GraphField>
  | Written<RowPanel>;

// The SDK writes these for every variable; the published schema does not know them.
type OurVariable = Written<VariableModel> & {
  auto?: boolean;
  auto_count?: number;
  auto_min?: string;
};

export type OurDashboard = Omit<Written<Dashboard>, 'panels' | 'templating'> & {
  panels: OurPanel[];
  templating: { list: OurVariable[] };
};
