/** What `softleaf check` can be asked for. */
import type { StrategyName } from '../../checker/light.ts';
import type { Unmended, Walk } from '../../mm/light.ts';
import type { Format } from '../choices.ts';

/** Seconds between two times that a run is kept, where nothing says otherwise. */
export const KEEP_EVERY = 60;

export interface CheckCommandOptions {
  walk?: Walk;
  /** Mends that are off in programs. */
  unmended?: readonly Unmended[];
  /** The scenario to check, of all that the files have. */
  only?: string;
  strategy?: StrategyName;
  seed?: number;
  /** Seconds. */
  time?: number;
  schedules?: number;
  preemptions?: number;
  faults?: number;
  breaks?: number;
  findings?: number;
  /** Schedules without anything new behind a finding, after which an exhaustive search ends. */
  beyond?: number;
  hardware?: boolean;
  workers?: number;
  replay?: string;
  resume?: string;
  /** Seconds between two times that a run is kept. */
  keepEvery?: number;
  report?: string;
  /** Where to write the first finding for the lab; true: of a schedule that is replayed, every step is printed. */
  trace?: string | true;
  /** The address of a lab; true: that of `softleaf lab`. */
  link?: string | true;
  json?: boolean;
  /** Tell every outcome, with its shortest schedule. */
  outcomes?: boolean;
  /** For another program to read. */
  format?: Format;
  /** A file with what an earlier check printed as JSON. */
  baseline?: string;
  /** Titles of findings that do not count. */
  ignore?: string[];
  /** Once more whenever a file has changed. */
  watch?: boolean;
  /** The generated suite: of these operations; none named: of all. */
  pairs?: string[] | true;
  /** The states of memory that it begins with; none: all. */
  states?: string[];
  /** Print what is to be checked, and do not check it. */
  list?: boolean;
  /** What was come across and what was not reached, all of it. */
  coverage?: boolean;
  /** Seconds without a sign of life after which a module is given up. */
  hang?: number;
  /** Do not look at the fields of a module's own objects. */
  fields?: boolean;
  /** Exit with a code of its own where there is a warning. */
  failOnWarning?: boolean;
  /** Exit with a code of its own where nothing was found but not everything tried. */
  requireComplete?: boolean;
  verbose?: boolean;
}
