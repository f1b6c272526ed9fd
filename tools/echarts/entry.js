// The part of Apache ECharts that the course's charts use, half of the whole:
// a page of charts has to load fast. What helpers/chart draws with is listed
// here; a chart of another kind needs its name added and the file built again
// (package.json says how).
import { use } from "echarts/core";
import { BarChart, CustomChart, LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendPlainComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer, SVGRenderer } from "echarts/renderers";

use([
  BarChart, CustomChart, LineChart, ScatterChart,
  GridComponent, LegendPlainComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent,
  CanvasRenderer, SVGRenderer,
]);

export { init, setPlatformAPI, version } from "echarts/core";
