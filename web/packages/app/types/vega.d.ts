/** The sub-packages of Vega ship no types of their own; this names the little that is used. */
declare module "vega-dataflow" {
  export const transforms: Record<string, unknown>;
}
declare module "vega-transforms";
declare module "vega-view-transforms";
declare module "vega-encode";
declare module "vega-parser" {
  export function parse(spec: object, config: object, options: { ast: true }): object;
}
declare module "vega-view" {
  export interface Loader {
    load(uri: string): Promise<never>;
    sanitize(uri: string): Promise<never>;
    http(uri: string): Promise<never>;
    file(path: string): Promise<never>;
  }
  export interface Logger {
    level(level?: number): number | Logger;
    error(fault: unknown): Logger;
    warn(): Logger;
    info(): Logger;
    debug(): Logger;
  }
  export type TooltipHandler = (handler: unknown, event: MouseEvent, item: unknown, value: unknown) => void;
  export class View {
    constructor(runtime: object, options: {
      loader: Loader; expr: unknown; renderer: "svg"; hover: boolean; tooltip: TooltipHandler; logger: Logger;
    });
    initialize(container: Element): this;
    data(name: string, rows: readonly object[]): this;
    width(): number;
    width(pixels: number): this;
    height(): number;
    height(pixels: number): this;
    description(text: string): this;
    resize(): this;
    runAsync(): Promise<this>;
    finalize(): this;
  }
}
