/**
 * Which functions and branches of the modelled rooms ran, by the numbers of places.ts: 1 when one ran
 * since somebody cleared it. The build puts the counting into the rooms (scripts/count.mjs); what runs
 * from source counts nothing.
 */
export const ran: Uint8Array = new Uint8Array(0);
