/** How the modelled kernel says that something is wrong: WARN_ON(), BUG_ON(), a pointer that is null. */
import { type Finding, KernelBug, modelledStack, notModelled } from './finding.ts';

/** Collects findings, each with the modelled functions that led to it. */
export class Reporter {
  readonly findings: Finding[] = [];

  private finding(invariant: string, title: string): Finding {
    const stack = modelledStack();
    return { title, invariant, function: stack[0] ?? '', stack };
  }

  /**
   * Records a finding; the modelled kernel goes on.
   * @param detail what differs from one schedule to the next: pages, devices
   */
  report(invariant: string, title: string, detail?: string): void {
    const found = this.finding(invariant, title);
    this.findings.push(detail === undefined ? found : { ...found, detail });
  }

  /**
   * Records a finding in what came of the modelled functions, when they have returned: none of them is to blame.
   * @param detail where it was looked for
   */
  reportResult(invariant: string, title: string, detail: string): void {
    this.findings.push({ invariant, title, function: '', stack: [], detail });
  }

  /** WARN_ON(): records a finding when `condition` holds. */
  warn(condition: boolean, title: string): boolean {
    if (condition) this.report('warn', title);
    return condition;
  }

  /** BUG_ON(): the modelled kernel stops when `condition` holds. */
  bug(condition: boolean, title: string): void {
    if (condition) this.throwBug('bug', title);
  }

  /**
   * What must be there: where the kernel would follow a null pointer, the modelled kernel stops with a
   * finding that names the function, instead of the host's error somewhere later.
   * @param what names it, such as `the area under a walk`
   */
  present<T>(value: T | null | undefined, what: string): T {
    if (value === null || value === undefined)
      this.throwBug('null pointer', `${what} is not there`);
    return value;
  }

  throwBug(invariant: string, title: string): never {
    const finding = this.finding(invariant, title);
    this.findings.push(finding);
    throw new KernelBug(finding);
  }
}

notModelled(Reporter);
