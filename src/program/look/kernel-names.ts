/**
 * The kernel's name of each modelled function, and where it is: the model's name, the kernel's, its file.
 * A line without them is a function of the model alone. Written from the docstrings by `npm run kernel-map`.
 */
export const KERNEL_NAMES = `
MIRROR_OPS dmirror_interval_invalidate lib/test_hmm.c
SNAPSHOT_OPS dmirror_snapshot_invalidate lib/test_hmm.c
account hugetlb_acct_memory mm/hugetlb.c
act
addLarge folio_add_return_large_mapcount include/linux/rmap.h
addTo
advicePmdEntry madvise_cold_or_pageout_pte_range mm/madvise.c
adviseFolio madvise_cold_or_pageout_pte_range mm/madvise.c
adviseHugePmd madvise_free_huge_pmd mm/huge_memory.c
advisePtes
adviseRange
adviseVma madvise_vma_behavior mm/madvise.c
adviseWholeFolio madvise_cold_or_pageout_pte_range mm/madvise.c
allocAndCopy
allocAnonFolioPmd vma_alloc_anon_folio_pmd mm/huge_memory.c
allocHugetlbFolio alloc_hugetlb_folio mm/hugetlb.c
allocPage dmirror_devmem_alloc_page lib/test_hmm.c
allocRam
allocateChunk dmirror_allocate_chunk lib/test_hmm.c
anonVmaClone anon_vma_clone mm/rmap.c
anonVmaCompatible anon_vma_compatible mm/vma.c
anonVmaFork anon_vma_fork mm/rmap.c
anonVmaPrepare __anon_vma_prepare mm/rmap.c
backOff dmirror_device_evict_chunk lib/test_hmm.c
begin
beginLog dmirror_range_fault lib/test_hmm.c
beginMigration dmirror_migrate_to_device lib/test_hmm.c
cachedFolio next_uptodate_folio mm/filemap.c
canChangePteWritable can_change_pte_writable mm/mprotect.c
canGrow dmirror_allocate_chunk lib/test_hmm.c
canMergeLeft can_vma_merge_left mm/vma.c
canMergeRight can_vma_merge_right mm/vma.c
changeHugePmd change_huge_pmd mm/huge_memory.c
changePresentPtes change_present_ptes mm/mprotect.c
changeProtection change_protection mm/mprotect.c
changePteRange change_pte_range mm/mprotect.c
changedSoftleaf change_softleaf_pte mm/mprotect.c
chargeOf accountable_mapping mm/vma.c
checkAndMigrateMovablePages check_and_migrate_movable_pages mm/gup.c
checkExclusive dmirror_check_atomic lib/test_hmm.c
checkPage migrate_vma_check_page mm/migrate_device.c
checkPmd find_pmd_or_thp_or_none mm/khugepaged.c
checkPte check_pte mm/page_vma_mapped.c
checkStableAddressSpace check_stable_address_space include/linux/oom.h
checkVmaFlags check_vma_flags mm/gup.c
clear
clearCopied __collapse_huge_page_copy_succeeded mm/khugepaged.c
clearSoftDirty clear_refs_write fs/proc/task_mmu.c
clearSoftDirtyPmd clear_soft_dirty_pmd fs/proc/task_mmu.c
closeDmirror dmirror_fops_release lib/test_hmm.c
closeFile __fput fs/file_table.c
closeNotify
collapseErrno madvise_collapse_errno mm/khugepaged.c
collapseHugePage collapse_huge_page mm/khugepaged.c
collapsePossible collapse_possible mm/khugepaged.c
collapseScanPmd collapse_scan_pmd mm/khugepaged.c
collectHole migrate_vma_collect_hole mm/migrate_device.c
collectHugePmd migrate_vma_collect_huge_pmd mm/migrate_device.c
collectPmd migrate_vma_collect_pmd mm/migrate_device.c
collectSkip migrate_vma_collect_skip mm/migrate_device.c
copy
copyHugeNonPresentPmd copy_huge_non_present_pmd mm/huge_memory.c
copyHugePage
copyHugePmd copy_huge_pmd mm/huge_memory.c
copyHugetlbPageRange copy_hugetlb_page_range mm/hugetlb.c
copyNonpresentPte copy_nonpresent_pte mm/memory.c
copyPageRange copy_page_range mm/memory.c
copyPages __collapse_huge_page_copy mm/khugepaged.c
copyPinned copy_hugetlb_page_range mm/hugetlb.c
copyPresentPte copy_present_ptes mm/memory.c
copyPteRange copy_pte_range mm/memory.c
copyVma copy_vma mm/vma.c
cpuAccess
cpuReadPage
cpuReadWord
cpuWritePage
cpuWriteWord
deferredSplitFolio deferred_split_folio mm/huge_memory.c
deviceAccess dmirror_read lib/test_hmm.c
deviceExclusive dmirror_exclusive lib/test_hmm.c
deviceFault dmirror_migrate_on_fault_to_device The series
deviceReadUnlocked dmirror_read_unlocked lib/test_hmm.c
deviceSnapshot dmirror_snapshot lib/test_hmm.c
deviceWrite
devmemFault dmirror_devmem_fault lib/test_hmm.c
devmemFree dmirror_devmem_free lib/test_hmm.c
dmirrorDoFault dmirror_do_fault lib/test_hmm.c
dmirrorFault dmirror_fault lib/test_hmm.c
dmirrorMmap dmirror_fops_mmap lib/test_hmm.c
doAnonymousPage do_anonymous_page mm/memory.c
doCowFault do_cow_fault mm/memory.c
doFault do_fault mm/memory.c
doFaultAround do_fault_around mm/memory.c
doFaultWithoutOps do_fault mm/memory.c
doFileFault
doHugePmdAnonymousPage do_huge_pmd_anonymous_page mm/huge_memory.c
doHugePmdDevicePrivate do_huge_pmd_device_private mm/huge_memory.c
doHugePmdWpPage do_huge_pmd_wp_page mm/huge_memory.c
doHugeZeroWpPmd do_huge_zero_wp_pmd mm/huge_memory.c
doMunmap do_vmi_align_munmap mm/vma.c
doRead dmirror_do_read lib/test_hmm.c
doReadFault do_read_fault mm/memory.c
doSharedFault do_shared_fault mm/memory.c
doSwapPage do_swap_page mm/memory.c
doWpPage do_wp_page mm/memory.c
doWrite dmirror_do_write lib/test_hmm.c
dontneed madvise_dontneed_free mm/madvise.c
dontunmapComplete dontunmap_complete mm/mremap.c
drain
drainCpu
drop
dropAll
dropHold
dropPin
dupAnonVma dup_anon_vma mm/vma.c
dupMmap dup_mmap mm/mmap.c
dupUserfaultfd dup_userfaultfd mm/userfaultfd.c
end
endLog dmirror_migrate_to_device lib/test_hmm.c
evictAll dmirror_fops_release lib/test_hmm.c
evictChunk dmirror_device_evict_chunk lib/test_hmm.c
evictChunks dmirror_fops_release lib/test_hmm.c
evictFile shmem_evict_inode mm/shmem.c
evictLeft
evictPages dmirror_device_evict_chunk lib/test_hmm.c
exit
exitMmap exit_mmap mm/mmap.c
faultAllocAndCopy dmirror_devmem_fault_alloc_and_copy lib/test_hmm.c
faultInPlace
faultMigrateToDevice dmirror_migrate_on_fault_to_device The series
faultOnce dmirror_range_fault lib/test_hmm.c
faultinPage faultin_page mm/gup.c
faultinPageRange faultin_page_range mm/gup.c
fileAccess
fileRead shmem_file_read_iter mm/shmem.c
fileWrite generic_perform_write mm/filemap.c
fillFile generic_perform_write mm/filemap.c
finalizeAndMap
findMergeableAnonVma find_mergeable_anon_vma mm/vma.c
finishCopies
finishFault finish_fault mm/memory.c
fixupHugetlbReservations fixup_hugetlb_reservations mm/hugetlb.c
flushCachePage flush_cache_page include/asm-generic/cacheflush.h
folioAddAnonRmapPmd folio_add_anon_rmap_pmd mm/rmap.c
folioAddAnonRmapPte folio_add_anon_rmap_pte mm/rmap.c
folioAddAnonRmapPtes folio_add_anon_rmap_ptes mm/rmap.c
folioAddFileRmapPte folio_add_file_rmap_pte mm/rmap.c
folioAddLru folio_add_lru mm/folio.c
folioAddNewAnonRmap folio_add_new_anon_rmap mm/rmap.c
folioAlloc folio_alloc mm/page_alloc.c
folioDeactivate folio_deactivate mm/folio.c
folioFree __folio_put mm/folio.c
folioGetAnonVma folio_get_anon_vma mm/rmap.c
folioIsLongtermPinnable folio_is_longterm_pinnable include/linux/mm.h
folioLockOrRetry folio_lock_or_retry include/linux/pagemap.h
folioMarkAccessed folio_mark_accessed mm/folio.c
folioMarkLazyfree folio_mark_lazyfree mm/folio.c
folioMaybeDmaPinned folio_maybe_dma_pinned include/linux/mm.h
folioMaybeMappedShared folio_maybe_mapped_shared include/linux/mm.h
folioMigrateFlags folio_migrate_flags mm/migrate.c
folioMigrateMapping folio_migrate_mapping mm/migrate.c
folioPrealloc
folioPteBatch folio_pte_batch_flags mm/internal.h
folioPut folio_put include/linux/mm.h
folioPutFresh folio_put include/linux/mm.h
folioPutbackLru folio_putback_lru mm/folio.c
folioRemoveRmapPmd folio_remove_rmap_pmd mm/rmap.c
folioRemoveRmapPte folio_remove_rmap_pte mm/rmap.c
folioSplitUnmapped folio_split_unmapped mm/huge_memory.c
folioTryDupAnonRmapPmd folio_try_dup_anon_rmap_pmd include/linux/rmap.h
folioTryDupAnonRmapPte folio_try_dup_anon_rmap_pte include/linux/rmap.h
folioTryShareAnonRmap __folio_try_share_anon_rmap include/linux/rmap.h
folioUnlockPut folio_unlock mm/filemap.c
followHugePmd follow_huge_pmd mm/gup.c
followPage follow_page_mask mm/gup.c
fopsMmap dmirror_fops_mmap lib/test_hmm.c
fork
freeHugeFolio free_huge_folio mm/hugetlb.c
freePgtables free_pgd_range mm/memory.c
freeZoneDeviceFolio free_zone_device_folio mm/memremap.c
freezeAndSplitUnmapped __folio_freeze_and_split_unmapped mm/huge_memory.c
getHugeZeroFolio mm_get_huge_zero_folio mm/huge_memory.c
getUserPage get_user_page_vma_remote mm/gup.c
getUserPages get_user_pages mm/gup.c
getUserPagesFast get_user_pages_fast mm/gup.c
getUserPagesInner __get_user_pages mm/gup.c
getUserPagesLocked __get_user_pages_locked mm/gup.c
gup
gupFast gup_fast mm/gup.c
gupFastFallback gup_fast_fallback mm/gup.c
gupFastFolioAllowed gup_fast_folio_allowed mm/gup.c
gupFastLeaf gup_fast_pmd_leaf mm/gup.c
gupFastRange gup_fast_pgd_range mm/gup.c
gupGiveBack put_back_pages mm/gup_test.c
gupHold pin_longterm_test_start mm/gup_test.c
gupLongtermLocked __gup_longterm_locked mm/gup.c
gupMustUnshare gup_must_unshare mm/internal.h
gupTest __gup_test_ioctl mm/gup_test.c
handleAbsentPmd hmm_vma_handle_absent_pmd mm/hmm.c
handleHugePmdFault __handle_mm_fault mm/memory.c
handleMmFault handle_mm_fault mm/memory.c
handlePmd hmm_vma_handle_pmd mm/hmm.c
handlePte hmm_vma_handle_pte mm/hmm.c
handlePteFault handle_pte_fault mm/memory.c
handleUserfault handle_userfault mm/userfaultfd.c
hardwareWalk
hasChunk
hasMemory
hasOwnHuge
hmmPfnsFill hmm_pfns_fill mm/hmm.c
hmmRangeFault hmm_range_fault mm/hmm.c
hmmRangeFaultUnlockedTimeout hmm_range_fault_unlocked_timeout mm/hmm.c
hmmSelectMigrate hmm_select_migrate The series
hmmVmaHandleMigratePrepare hmm_vma_handle_migrate_prepare The series
hmmVmaHandleMigratePreparePmd hmm_vma_handle_migrate_prepare_pmd The series
hmmVmaWalkSplit hmm_vma_walk_split The series
hugePmdSetAccessed huge_pmd_set_accessed mm/huge_memory.c
hugetlbAddNewAnonRmap hugetlb_add_new_anon_rmap mm/rmap.c
hugetlbChangeProtection hugetlb_change_protection mm/hugetlb.c
hugetlbEntry
hugetlbFault hugetlb_fault mm/hugetlb.c
hugetlbFileSetup hugetlb_file_setup fs/hugetlbfs/inode.c
hugetlbHandleUserfault hugetlb_no_page mm/hugetlb.c
hugetlbNoPage hugetlb_no_page mm/hugetlb.c
hugetlbPagemapBits pagemap_hugetlb_range fs/proc/task_mmu.c
hugetlbPresent hugetlb_fault mm/hugetlb.c
hugetlbRemoveRmap hugetlb_remove_rmap include/linux/rmap.h
hugetlbTryDupAnonRmap hugetlb_try_dup_anon_rmap include/linux/rmap.h
hugetlbVmOpClose hugetlb_vm_op_close mm/hugetlb.c
hugetlbVmaLockRead hugetlb_vma_lock_read mm/hugetlb.c
hugetlbVmaUnlockRead hugetlb_vma_unlock_read mm/hugetlb.c
hugetlbWp hugetlb_wp mm/hugetlb.c
hugetlbZapBegin __hugetlb_zap_begin mm/hugetlb.c
hugetlbZapEnd __hugetlb_zap_end mm/hugetlb.c
hugetlbfsFileMmap hugetlbfs_file_mmap fs/hugetlbfs/inode.c
inUse
insertByOffset INTERVAL_TREE_DEFINE include/linux/interval_tree_generic.h
insertChain anon_rmap_tree_insert mm/interval_tree.c
insertHugePmdPage migrate_vma_insert_huge_pmd_page mm/migrate_device.c
insertPage migrate_vma_insert_page mm/migrate_device.c
installMigrationEntry migrate_vma_collect_pmd mm/migrate_device.c
invalidate
invalidateAd
isFileHugepages is_file_hugepages include/linux/hugetlb.h
isHole
isolate __collapse_huge_page_isolate mm/khugepaged.c
leaveDevice dmirror_devmem_fault_alloc_and_copy lib/test_hmm.c
leaveOthers dmirror_interval_invalidate lib/test_hmm.c
leaveRam dmirror_migrate_alloc_and_copy lib/test_hmm.c
leaveSource copy_page_range mm/memory.c
linkFile mapping_rmap_tree_insert mm/interval_tree.c
listed
lock
lockAndUnmap migrate_device_range mm/migrate_device.c
lockFault
lockSource copy_page_range mm/memory.c
lruAddDrain lru_add_drain mm/folio.c
lruAddDrainAll lru_add_drain_all mm/folio.c
lruLazyfree lru_lazyfree mm/folio.c
madvise do_madvise mm/madvise.c
madviseCollapse madvise_collapse mm/khugepaged.c
makeDeviceExclusive make_device_exclusive mm/rmap.c
mapAnonFolioPmd map_anon_folio_pmd_nopf mm/huge_memory.c
mapHugeZeroPage set_huge_zero_folio mm/huge_memory.c
mapLock
mapNewHugePage __do_huge_pmd_anonymous_page mm/huge_memory.c
mayDiscard ttu_anon_lazyfree_folio mm/rmap.c
mayFillNone collapse_max_ptes_none mm/khugepaged.c
maySplit hugetlb_vm_op_split mm/hugetlb.c
memremapPages memremap_pages mm/memremap.c
memunmapPages memunmap_pages mm/memremap.c
mergeExisting vma_merge_existing_range mm/vma.c
mergeableAnonVma is_mergeable_anon_vma mm/vma.c
mergeableVma is_mergeable_vma mm/vma.c
mfillAtomic
mfillAtomicInstallPte mfill_atomic_install_pte mm/userfaultfd.c
mfillEstablishPmd mfill_establish_pmd mm/userfaultfd.c
migrateAllocAndCopy dmirror_migrate_alloc_and_copy lib/test_hmm.c
migrateDeviceCoherentFolio migrate_device_coherent_folio mm/migrate_device.c
migrateDeviceFinalize migrate_device_finalize mm/migrate_device.c
migrateDeviceFinalizeInner __migrate_device_finalize mm/migrate_device.c
migrateDevicePages migrate_device_pages mm/migrate_device.c
migrateDevicePagesInner __migrate_device_pages mm/migrate_device.c
migrateDevicePfns migrate_device_pfns mm/migrate_device.c
migrateDeviceRange migrate_device_range mm/migrate_device.c
migrateDeviceUnmap migrate_device_unmap mm/migrate_device.c
migrateFinalizeAndMap dmirror_migrate_finalize_and_map lib/test_hmm.c
migrateHmmRangeSetup migrate_hmm_range_setup The series
migrateLongtermUnpinnable migrate_longterm_unpinnable_folios mm/gup.c
migratePrepared dmirror_migrate_to_device lib/test_hmm.c
migrateRange dmirror_migrate_to_device lib/test_hmm.c
migrateToDevice dmirror_migrate_to_device lib/test_hmm.c
migrateToSystem dmirror_migrate_to_system lib/test_hmm.c
migrateVmaCollect migrate_vma_collect mm/migrate_device.c
migrateVmaFinalize migrate_vma_finalize mm/migrate_device.c
migrateVmaPages migrate_vma_pages mm/migrate_device.c
migrateVmaSetup migrate_vma_setup mm/migrate_device.c
migrateVmaSplitFolio migrate_vma_split_folio The series
migrateVmaUnmap migrate_vma_unmap mm/migrate_device.c
migrationEntryWait migration_entry_wait mm/migrate.c
missesOf
mmap
mmapFile __mmap_new_file_vma mm/vma.c
mmapHugetlb ksys_mmap_pgoff mm/mmap.c
mmapRegion do_mmap mm/mmap.c
mmuIntervalNotifierInsert mmu_interval_notifier_insert mm/mmu_notifier.c
mmuIntervalNotifierRemove mmu_interval_notifier_remove mm/mmu_notifier.c
mmuIntervalReadBegin mmu_interval_read_begin mm/mmu_notifier.c
mmuNotifierInvalidateRangeEnd __mmu_notifier_invalidate_range_end mm/mmu_notifier.c
mmuNotifierInvalidateRangeStart mn_itree_invalidate mm/mmu_notifier.c
mnItreeInvEnd mn_itree_inv_end mm/mmu_notifier.c
mnItreeInvStartRange mn_itree_inv_start_range mm/mmu_notifier.c
modifyProtStartPtes modify_prot_start_ptes include/linux/pgtable.h
moveHugePmd move_huge_pmd mm/huge_memory.c
moveHugetlbPageTables move_hugetlb_page_tables mm/hugetlb.c
moveNormalPmd move_normal_pmd mm/mremap.c
movePageTables move_page_tables mm/mremap.c
movePtes move_ptes mm/mremap.c
mprotect do_mprotect_pkey mm/mprotect.c
mprotectFixup mprotect_fixup mm/mprotect.c
mprotectFolioPteBatch mprotect_folio_pte_batch mm/mprotect.c
mremap do_mremap mm/mremap.c
mremapUserfaultfdPrep mremap_userfaultfd_prep mm/userfaultfd.c
munmap __vm_munmap mm/mmap.c
mustWait userfaultfd_must_wait mm/userfaultfd.c
needFault hmm_pte_need_fault mm/hmm.c
needsMonitor
newFile memfd_alloc_file mm/memfd.c
observe
onePass
oneWalk
oomReapTaskMm oom_reap_task_mm mm/oom_kill.c
open
openDmirror dmirror_fops_open lib/test_hmm.c
openFile
pageLeft
pageVmaMappedWalk page_vma_mapped_walk mm/page_vma_mapped.c
pagemapBits pte_to_pagemap_entry fs/proc/task_mmu.c
pagemapScan do_pagemap_scan fs/proc/task_mmu.c
perform
pfnLock migrate_device_pfn_lock mm/migrate_device.c
pfnWaitLock
pin
pinFolio try_grab_folio mm/gup.c
pinUserPage get_user_pages_fast mm/gup.c
pinUserPages pin_user_pages mm/gup.c
pinUserPagesFast pin_user_pages_fast mm/gup.c
pmdAlloc __pud_alloc mm/memory.c
pmdEntry clear_refs_pte_range fs/proc/task_mmu.c
pmdMigrationEntryWait pmd_migration_entry_wait mm/migrate.c
pmdTransHugeLock __pmd_trans_huge_lock mm/huge_memory.c
populateRange madvise_populate mm/madvise.c
pteAlloc __pte_alloc mm/memory.c
pteIsPinned pte_is_pinned fs/proc/task_mmu.c
pteUnmapUnlock
putFolio
putPages put_page include/linux/mm.h
rangeFault dmirror_range_fault lib/test_hmm.c
rangeNeedFault hmm_range_need_fault mm/hmm.c
rangeSnapshot dmirror_range_snapshot lib/test_hmm.c
readBack dmirror_migrate_to_device lib/test_hmm.c
readPagemap pagemap_read fs/proc/task_mmu.c
reap
reclaimPages reclaim_pages mm/vmscan.c
recordFault hmm_record_fault mm/hmm.c
refresh
release
releasePteFolio
releaseUnmapped
removeChain anon_rmap_tree_remove mm/interval_tree.c
removeChunk
removeChunks dmirror_device_remove_chunks lib/test_hmm.c
removeDeviceExclusiveEntry remove_device_exclusive_entry mm/memory.c
removeMigrationPmd remove_migration_pmd mm/huge_memory.c
removeMigrationPte remove_migration_pte mm/migrate.c
removeMigrationPtes remove_migration_ptes mm/migrate.c
replaceTable
restoreExclusivePte restore_exclusive_pte mm/memory.c
restoreReserveOnError restore_reserve_on_error mm/hugetlb.c
retireChunk dmirror_device_remove_chunks lib/test_hmm.c
revalidate hugepage_vma_revalidate mm/khugepaged.c
rmapWalk rmap_walk mm/rmap.c
sanityCheckPinnedPages sanity_check_pinned_pages mm/gup.c
scanPte collapse_scan_pmd mm/khugepaged.c
selectDevice dmirror_select_device lib/test_hmm.c
selectsHuge migrate_vma_collect_huge_pmd mm/migrate_device.c
selectsPage migrate_vma_collect_pmd mm/migrate_device.c
served
setAccessFlags pmdp_set_access_flags arch/x86/mm/pgtable.c
setCtx
setFilePte set_pte_range mm/memory.c
setPmdMigrationEntry set_pmd_migration_entry mm/huge_memory.c
setRange userfaultfd_register_range mm/userfaultfd.c
shmemFault shmem_fault mm/shmem.c
shmemGetFolio shmem_get_folio_gfp mm/shmem.c
shmemMfillFilemapAdd shmem_mfill_filemap_add mm/shmem.c
shmemMfillFilemapRemove shmem_mfill_filemap_remove mm/shmem.c
shrinkFolio shrink_folio_list mm/vmscan.c
shutdown
snapshotByte dmirror_mkentry lib/test_hmm.c
softleafEntryWaitOnLocked softleaf_entry_wait_on_locked mm/filemap.c
splitFolio __folio_split mm/huge_memory.c
splitHugePmd __split_huge_pmd mm/huge_memory.c
splitHugePmdAddress split_huge_pmd_address mm/huge_memory.c
splitHugePmdLocked split_huge_pmd_locked mm/huge_memory.c
splitHugeZeroPagePmd __split_huge_zero_page_pmd mm/huge_memory.c
splitMigrationPmd migrate_vma_split_unmapped_folio mm/migrate_device.c
splitReferences
splitUnmappedFolio migrate_vma_split_unmapped_folio mm/migrate_device.c
splitVma __split_vma mm/vma.c
splitVmaAt __split_vma mm/vma.c
subLarge folio_sub_return_large_mapcount include/linux/rmap.h
swapIn __collapse_huge_page_swapin mm/khugepaged.c
take dequeue_hugetlb_folio mm/hugetlb.c
takeTable
thpVmaAllowable thp_vma_allowable_order include/linux/huge_mm.h
thpVmaSuitableOrder thp_vma_suitable_order include/linux/huge_mm.h
tlbFinishMmu tlb_finish_mmu mm/mmu_gather.c
tlbFlushOnly tlb_flush_mmu_tlbonly include/asm-generic/tlb.h
touchPmd touch_pmd mm/huge_memory.c
translate do_user_addr_fault arch/x86/mm/fault.c
tryGrabFolioFast try_grab_folio_fast mm/gup.c
tryToMapUnusedToZeropage try_to_map_unused_to_zeropage mm/migrate.c
tryToMigrate try_to_migrate mm/rmap.c
tryToMigrateOne try_to_migrate_one mm/rmap.c
tryToUnmapOne try_to_unmap_one mm/rmap.c
twoPasses
uffdCopy userfaultfd_copy mm/userfaultfd.c
uffdCopyPages
uffdRead userfaultfd_poll mm/userfaultfd.c
uffdRegister userfaultfd_register mm/userfaultfd.c
uffdServe
uffdStop
uffdUnregister userfaultfd_unregister mm/userfaultfd.c
uffdWake userfaultfd_wake mm/userfaultfd.c
underMutex
undoPrepared
unlinkAnonVmas unlink_anon_vmas mm/rmap.c
unlinkFile mapping_rmap_tree_remove mm/interval_tree.c
unlock
unlockFault
unlockPmd
unlockPtes hmm_vma_walk_pmd The series
unlockSource copy_page_range mm/memory.c
unmapBatch folio_unmap_pte_batch mm/rmap.c
unmapHugepageRange unmap_hugepage_range mm/hugetlb.c
unmapHugepages __unmap_hugepage_range mm/hugetlb.c
unmapRefPrivate unmap_ref_private mm/hugetlb.c
unmapUnlock
unpin
unpinFolio gup_put_folio mm/gup.c
unpinUserPages unpin_user_pages mm/gup.c
updateVma madvise_update_vma mm/madvise.c
userfaultfd new_userfaultfd mm/userfaultfd.c
userfaultfdRelease userfaultfd_release mm/userfaultfd.c
verifyDmaPinned
vmEnoughMemory __vm_enough_memory mm/util.c
vmFaultToErrno vm_fault_to_errno include/linux/mm.h
vmInsertPage vm_insert_page mm/memory.c
vmaAdjustTransHuge vma_adjust_trans_huge mm/huge_memory.c
vmaCanUserfault vma_can_userfault mm/userfaultfd.c
vmaComplete vma_complete mm/vma.c
vmaMergeNewRange vma_merge_new_range mm/vma.c
vmaModifyFlags vma_modify_flags mm/vma.c
vmaPrepare vma_prepare mm/vma.c
vmaUpdate vma_prepare mm/vma.c
walkArea __walk_page_range mm/pagewalk.c
walkHole hmm_vma_walk_hole mm/hmm.c
walkHugetlbEntry hmm_vma_walk_hugetlb_entry mm/hmm.c
walkHugetlbRange walk_hugetlb_range mm/pagewalk.c
walkPageRange walk_page_range mm/pagewalk.c
walkPageRangeVma walk_page_range_vma mm/pagewalk.c
walkPmd hmm_vma_walk_pmd mm/hmm.c
walkRound
walkTables walk_pgd_range mm/pagewalk.c
walkTest hmm_vma_walk_test mm/hmm.c
wantsManualWriteUpgrade vma_wants_manual_pte_write_upgrade include/linux/mm.h
wantsWritenotify vma_wants_writenotify mm/vma.c
whereabouts
withLock
withRmapLocks take_rmap_locks mm/mremap.c
wpCanReuseAnonFolio wp_can_reuse_anon_folio mm/memory.c
wpCanReuseLargeAnonFolio __wp_can_reuse_large_anon_folio mm/memory.c
wpPageCopy wp_page_copy mm/memory.c
wpPageReuse wp_page_reuse mm/memory.c
wpPageShared wp_page_shared mm/memory.c
wpReuseHugePage
zapHugePmd zap_huge_pmd mm/huge_memory.c
zapPte zap_present_ptes mm/memory.c
zapPteRange zap_pte_range mm/memory.c
zapPteTableIfEmpty zap_pte_table_if_empty mm/memory.c
zapVmaForReaping zap_vma_for_reaping mm/memory.c
zapVmaRange __zap_vma_range mm/memory.c
zapVmaRangeBatched zap_vma_range_batched mm/memory.c
zoneDevicePageInit zone_device_page_init mm/memremap.c
zone_device_page_init
`;
