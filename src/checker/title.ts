/** What a finding is called: the same in every schedule that breaks the same thing. */
import type { Finding } from '../machine/index.ts';

/** A title without the numbers that change from one schedule to the next. */
export function plain(text: string): string {
  return text.replace(/\b\d+\b/g, 'N');
}

/** The name of a finding. That of a result that must be another keeps its values. */
export function titleOf(finding: Finding): string {
  if (finding.invariant === 'expectation') return finding.title;
  const where = finding.function === '' ? '' : ` in ${finding.function}`;
  return `${plain(finding.title)}${where}`;
}
