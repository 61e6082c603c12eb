package experiment

// The two modes as arms, for reports that compare just these.
const (
	ArmSingle      = "single"
	ArmConcurrent  = "concurrent"
	ArmAgain       = ArmConcurrent + suffixAgain
	ArmNoKeepAlive = ArmConcurrent + suffixNoKeepAlive
)

// Mode returns the server's mode behind an arm.
func Mode(arm string) string {
	if arm == ArmSingle {
		return "single"
	}
	return "concurrent"
}
