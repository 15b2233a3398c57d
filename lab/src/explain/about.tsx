/** One line for each panel: what it shows, with the kernel's word for it. */
const ABOUT = {
  timeline: (
    <>
      Time goes to the right, one mark a step; below, the kernel’s functions that a task is in, and
      the locks that it holds.
    </>
  ),
  spaces: (
    <>
      Each process’s areas (<code>VMA</code>), and each page’s entry in its page table (
      <code>PTE</code>).
    </>
  ),
  memory: (
    <>
      Pages of RAM and of devices (<code>folio</code>); the number counts references.
    </>
  ),
  changes: <>What the last step did; squares that it changed have a ring.</>,
  why: <>Who waits for which lock, and the functions that took the step.</>,
} as const;

export function About({ of }: { of: keyof typeof ABOUT }) {
  return <p class="about">{ABOUT[of]}</p>;
}
