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
      What each process may reach: areas of pages (<code>VMA</code>), and for each page its entry in
      the page table (<code>PTE</code>).
    </>
  ),
  memory: (
    <>
      The pages themselves (<code>struct page</code>, <code>folio</code>), in RAM and on devices;
      the number counts references.
    </>
  ),
  changes: <>The last step, and all that it changed; changed squares have a ring.</>,
  why: <>What is selected, who waits for which lock, and the functions the step was taken in.</>,
} as const;

export function About({ of }: { of: keyof typeof ABOUT }) {
  return <p class="about">{ABOUT[of]}</p>;
}
