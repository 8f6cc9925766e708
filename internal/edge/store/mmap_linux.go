package store

import "syscall"

// mmapPopulate reads the file ahead when it is opened: without it a cold start crawls from page
// fault to page fault.
const mmapPopulate = syscall.MAP_POPULATE
