# SPDX-License-Identifier: MIT
# Loaded by run.py into the test clients of Redis's suite. As the suite is, one command that fails
# between its tests ends a whole file. With this, scripts are run command by command, and what
# fails outside a test is told and passed over.

proc in_steps {script} {
    set command ""
    foreach line [split $script "\n"] {
        append command $line "\n"
        if {![info complete $command]} continue
        set code [catch {uplevel 1 $command} result]
        set command ""
        if {$code == 2} return
        if {$code == 1} {
            incr ::num_failed
            set said [lindex [split $result "\n"] 0]
            send_data_packet $::test_server_fd err "(between tests) $said in $::curfile"
        }
    }
}

# Its own variables stand among those of the file.
proc execute_test_file {__unit} {
    set ::curfile "tests/$__unit.tcl"
    set __file [open $::curfile]
    set __script [read $__file]
    close $__file
    in_steps $__script
    send_data_packet $::test_server_fd done $__unit
}

rename tags whole_tags
proc tags {tags code} {
    uplevel 1 [list whole_tags $tags [list in_steps $code]]
}

# What start_server does when the server is there already: an empty one, with these settings as
# far as it has them.
proc run_external_server_test {code overrides} {
    set client [redis $::host $::port 0 $::tls]
    if {!$::singledb} {catch {$client select 9}}
    lappend ::servers [dict create host $::host port $::port client $client \
        config [dict create port $::port]]
    catch {r flushall}
    catch {r function flush}
    set before {}
    foreach {name value} $overrides {
        catch {
            set old [lindex [r config get $name] 1]
            r config set $name $value
            dict set before $name $old
            if {$name eq "appendonly" && $value eq "yes"} {waitForBgrewriteaof r}
        }
    }
    uplevel 2 [list in_steps $code]
    dict for {name old} $before {catch {r config set $name $old}}
    catch {[dict get [lpop ::servers] client] close}
}

# A reply that does not come fails its test, instead of holding up all. The connection, on which it
# may come yet, is given up: the client makes another.
set reply_limit_ms 10000
proc await_reply {fd} {
    if {[chan pending input $fd] > 0 || ![fconfigure $fd -blocking]} return
    set before [fileevent $fd readable]
    fileevent $fd readable [list set ::awaited($fd) come]
    set timer [after $::reply_limit_ms [list set ::awaited($fd) late]]
    vwait ::awaited($fd)
    after cancel $timer
    if {$::awaited($fd) eq "come"} {
        fileevent $fd readable $before
        return
    }
    foreach {id its_fd} [array get ::redis::fd] {
        if {$its_fd eq $fd} {set ::redis::fd($id) {}}
    }
    close $fd
    error "assertion:no reply within $::reply_limit_ms ms"
}
foreach read {redis_safe_read redis_safe_gets} {
    rename ::redis::$read ::redis::whole_$read
    proc ::redis::$read {fd args} "await_reply \$fd; whole_$read \$fd {*}\$args"
}
